// Follows all files that are under way, over one stream of events, until each is done.

import { ask } from "./api.js";
import { dropRow, makeRow, rowOf, scanRows, showScan } from "./rows.js";
import { problemText, say, trouble } from "./say.js";
import { probability, chip } from "./words.js";

const FINAL = ["done", "failed", "cancelled"];

/** What the stream has not spoken of for this long is asked for: it may have been done before it was heard of. */
const UNHEARD_MS = 4000;

/** Several that are done at once are shown in the list at once. */
const TOGETHER_MS = 300;

let stream = null;
let heard = new Map();
let timer = 0;
let finished = 0;
const fresh = new Set();

export function startWatch() {
  if (!document.getElementById("rows")) return;
  document.addEventListener("visibilitychange", follow);
  setInterval(askUnheard, UNHEARD_MS / 2);
  document.getElementById("rows").addEventListener("click", cancelled);
  document.getElementById("history").addEventListener("htmx:load", markFresh);
  for (const row of scanRows()) heard.set(row.dataset.id, Date.now());
  follow();
}

/** A scan that was just accepted: shows it and follows it. */
export function followScan(row, scan) {
  heard.set(scan.id, Date.now());
  row.dataset.id = scan.id;
  told(scan);
  follow();
}

/** Holds the stream open while there is something to follow and someone to see it: browsers open only a few
 * connections to one server, for all tabs together. */
function follow() {
  const wanted = !document.hidden && scanRows().length > 0;
  // Refused, not only broken: the browser does not try again by itself.
  if (stream?.readyState === EventSource.CLOSED) stream = null;
  if (wanted && !stream) {
    stream = new EventSource("/api/v1/events");
    stream.addEventListener("scan", (event) => told(JSON.parse(event.data)));
    stream.addEventListener("deleted", (event) => gone(JSON.parse(event.data).id));
  } else if (!wanted && stream) {
    stream.close();
    stream = null;
  }
}

function told(scan) {
  let row = rowOf(scan.id);
  if (!row && FINAL.includes(scan.state)) return;
  row ??= makeRow(scan.name);
  heard.set(scan.id, Date.now());
  if (!FINAL.includes(scan.state)) {
    showScan(row, scan);
    return;
  }
  dropRow(row);
  heard.delete(scan.id);
  fresh.add(scan.id);
  finished += 1;
  tally();
  say(`${scan.name}: ${inWords(scan)}`);
  clearTimeout(timer);
  timer = setTimeout(() => document.body.dispatchEvent(new Event("unmask:finished")), TOGETHER_MS);
  follow();
}

/** A scan that was deleted elsewhere. */
function gone(id) {
  const row = rowOf(id);
  heard.delete(id);
  if (row) dropRow(row);
  follow();
}

function inWords(scan) {
  if (scan.state !== "done") return scan.state;
  const word = chip(scan.verdict).lastChild.textContent;
  return scan.probability === null ? word : `${word}, P(fake) ${probability(scan.probability)}`;
}

function tally() {
  const all = document.getElementById("rows").children.length + finished;
  document.getElementById("tally").textContent = `${finished} of ${all} done`;
}

async function askUnheard() {
  if (document.hidden) return;
  follow();
  for (const row of scanRows()) {
    const id = row.dataset.id;
    if (Date.now() - (heard.get(id) ?? 0) < UNHEARD_MS) continue;
    try {
      const scan = await ask(`/api/v1/scans/${id}`);
      // Only the stream knows how far a scan is.
      if (FINAL.includes(scan.state) || row.dataset.state !== scan.state) told(scan);
      else heard.set(id, Date.now());
    } catch (refused) {
      if (refused.status === 404) dropRow(row);
    }
  }
}

async function cancelled(event) {
  const row = event.target.closest(".cancel")?.closest("[data-id]");
  if (!row) return;
  event.target.disabled = true;
  try {
    told(await ask(`/api/v1/scans/${row.dataset.id}/cancel`, "POST"));
  } catch (refused) {
    if (refused.status === 404) dropRow(row);
    else trouble(problemText(refused.problem));
  }
}

/** Points out what has come into the list since the page was opened. */
function markFresh() {
  for (const card of document.querySelectorAll("#history .card")) {
    card.classList.toggle("fresh", fresh.has(card.dataset.id));
  }
}
