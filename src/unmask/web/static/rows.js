// One file on its way, as a row of the list: what is being done with it, how far it is, what is known so far.

import { chip, percent, probability } from "./words.js";

const list = () => document.getElementById("rows");

/** A new row for a file of this name, at the end of the list. */
export function makeRow(name) {
  const row = document.getElementById("row").content.firstElementChild.cloneNode(true);
  row.querySelector(".name").textContent = name;
  row.querySelector("progress").setAttribute("aria-label", name);
  row.querySelector(".cancel").setAttribute("aria-label", `Cancel ${name}`);
  list().append(row);
  showList();
  return row;
}

/** The row of the scan of this name, undefined where there is none. */
export function rowOf(id) {
  return [...list().children].find((row) => row.dataset.id === id);
}

/** All rows of scans that the server has. */
export function scanRows() {
  return [...list().children].filter((row) => row.dataset.id);
}

/** Takes a row away. */
export function dropRow(row) {
  const held = row.contains(document.activeElement);
  row.remove();
  showList();
  if (held) document.getElementById("main").focus();
}

/** Shows what is being done with the file, and how far that is: a share, null for "not begun", undefined for
 * "nobody knows". */
export function showDoing(row, state, text, share) {
  row.dataset.state = state;
  row.querySelector(".doing").textContent = text;
  const progress = row.querySelector("progress");
  progress.hidden = state === "refused";
  if (share === undefined) progress.removeAttribute("value");
  else progress.value = share ?? 0;
  row.querySelector(".cancel").hidden = state === "refused";
  row.querySelector(".again").hidden = true;
  row.querySelector(".forget").hidden = state !== "refused";
}

/** Shows a scan as the server tells it. */
export function showScan(row, scan) {
  row.dataset.id = scan.id;
  const name = row.querySelector(".name");
  if (!name.querySelector("a")) {
    const link = document.createElement("a");
    link.href = scan.links.page;
    link.textContent = scan.name;
    name.replaceChildren(link);
  }
  if (scan.state === "queued") {
    showDoing(row, "queued", scan.ahead ? `Waiting, ${scan.ahead} ahead` : "Waiting", null);
  } else if (scan.state === "running") {
    const share = scan.share ?? 0;
    showDoing(row, "running", share ? `Being looked at, ${percent(share)}` : "Being looked at", share || undefined);
  }
  const soFar = row.querySelector(".so-far");
  if (scan.state === "running" && scan.verdict) {
    soFar.replaceChildren("so far ", chip(scan.verdict), ` P(fake) ${probability(scan.probability)}`);
  } else {
    soFar.replaceChildren();
  }
}

function showList() {
  document.getElementById("under-way").hidden = !list().children.length;
}
