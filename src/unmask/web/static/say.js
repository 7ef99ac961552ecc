// Tells what happens to those who don't see it, sparingly, and trouble to everyone.

const QUIET_MS = 8000;

let last = 0;

/** Has screen readers say `text`; of what is told often, only what comes after a pause. */
export function say(text, { often = false } = {}) {
  const now = Date.now();
  if (often && now - last < QUIET_MS) return;
  last = now;
  document.getElementById("status").textContent = text;
}

/** Shows that something went wrong, and what to do. */
export function trouble(text) {
  const box = document.getElementById("trouble");
  box.querySelector("p").textContent = text;
  box.hidden = false;
}

/** What a refused request says of itself: a sentence, and a hint where there is one. */
export function problemText(problem) {
  const detail = problem?.detail ?? "the server did not answer";
  const text = detail.charAt(0).toUpperCase() + detail.slice(1);
  return problem?.hint ? `${text}: ${problem.hint}.` : `${text}.`;
}

/** Shows the trouble that htmx meets, and lets it be closed. */
export function startTrouble() {
  document.querySelector("#trouble button").addEventListener("click", (event) => {
    event.target.parentElement.hidden = true;
  });
  document.addEventListener("htmx:sendError", () => trouble(problemText(null)));
  document.addEventListener("htmx:responseError", (event) => {
    const { xhr } = event.detail;
    if (xhr.status === 401) location.assign("/login");
    else trouble(problemText(parsed(xhr.responseText)));
  });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
