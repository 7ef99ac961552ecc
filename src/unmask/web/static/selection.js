// Two files of the list are compared: says how many are selected, and lets no third one be.

export function startSelection() {
  const form = document.getElementById("compare");
  if (!form) return;
  const button = document.getElementById("compare-button");
  const help = document.getElementById("compare-help");

  const boxesNow = () => [...form.querySelectorAll('input[name="id"]')];
  const kept = new Set(boxesNow().filter((box) => box.checked).map((box) => box.value));

  const show = () => {
    const boxes = boxesNow();
    const chosen = boxes.filter((box) => box.checked);
    for (const box of boxes) {
      const done = box.closest(".card").dataset.state === "done";
      box.disabled = !done || (chosen.length === 2 && !box.checked);
    }
    button.disabled = chosen.length !== 2;
    help.textContent = ["Select two to compare them.", "Select one more.", "Two selected."][chosen.length];
    form.classList.toggle("selecting", chosen.length > 0);
  };
  form.addEventListener("change", ({ target }) => {
    if (target.checked) kept.add(target.value);
    else kept.delete(target.value);
    show();
  });
  // The list is fetched anew when a file is done; what was selected stays so.
  form.addEventListener("htmx:load", () => {
    for (const box of boxesNow()) box.checked = kept.has(box.value);
    show();
  });
  show();
}
