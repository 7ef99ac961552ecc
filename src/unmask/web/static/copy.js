// Copies the link to a page; where the browser does not allow that, shows it ready to be copied by hand.

import { say } from "./say.js";

const SHOWN_MS = 2000;

export function startCopy() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const link = new URL(button.dataset.copy, location.href).href;
    try {
      await navigator.clipboard.writeText(link);
    } catch {
      const field = button.parentElement.querySelector(".copied");
      field.hidden = false;
      field.value = link;
      field.select();
      return;
    }
    const word = button.textContent;
    button.textContent = "Copied";
    button.disabled = true;
    say("The link is copied");
    setTimeout(() => {
      button.textContent = word;
      button.disabled = false;
    }, SHOWN_MS);
  });
}
