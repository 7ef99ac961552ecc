// Asks before something is deleted, in a dialog instead of on a page of its own.

import { ask } from "./api.js";
import { problemText, say, trouble } from "./say.js";

export function startConfirm() {
  const dialog = document.getElementById("confirm");
  const form = dialog.querySelector("form");
  let card = null;

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-confirm]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    card = link.closest(".card");
    form.action = link.href;
    dialog.querySelector("h2").textContent = link.dataset.confirm;
    dialog.querySelector("p").textContent = link.dataset.name;
    dialog.showModal();
  });
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  form.addEventListener("submit", async (event) => {
    if (!card) return;
    // In a list: the list stays as it is, less the one.
    event.preventDefault();
    dialog.close();
    await remove(card);
  });
}

async function remove(card) {
  const name = card.querySelector(".name").textContent.trim();
  try {
    await ask(`/api/v1/scans/${card.dataset.id}`, "DELETE");
  } catch (refused) {
    if (refused.status !== 404) return trouble(problemText(refused.problem));
  }
  const next = card.nextElementSibling ?? card.previousElementSibling;
  card.remove();
  say(`Deleted ${name}`);
  if (next) next.querySelector(".name a").focus();
  else document.body.dispatchEvent(new Event("unmask:finished"));
}
