// Hands in files: chosen, dropped anywhere on the page, or pasted; two at a time, the others wait.

import { dropped, pasted } from "./files.js";
import { dropRow, makeRow, scanRows, showDoing } from "./rows.js";
import { problemText, say } from "./say.js";
import { followScan } from "./watch.js";
import { percent } from "./words.js";

const AT_ONCE = 2;

/** Times a broken connection is tried again, and how long after the first. */
const MOST_ATTEMPTS = 3;
const AFTER_BREAK_S = 2;

/** Where the server does not say when there will be room. */
const AFTER_REFUSAL_S = 5;

/** Answers that mean "not now". */
const NO_ROOM = [429, 503];

const waiting = [];
const sending = new Set();

export function startUpload() {
  const form = document.getElementById("upload");
  if (!form) return;
  const input = form.querySelector("#file");
  input.multiple = true;
  input.required = false;

  const take = (files) => handIn(form, [...files]);
  input.addEventListener("change", () => {
    take(input.files);
    input.value = "";
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) take(pasted(event.clipboardData));
  });
  startDrop(take);
  document.getElementById("rows").addEventListener("click", pressed);
  addEventListener("beforeunload", (event) => {
    if (sending.size || waiting.length) event.preventDefault();
  });
}

function startDrop(take) {
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;
  const show = (by) => {
    depth = by ? depth + by : 0;
    document.body.classList.toggle("dropping", depth > 0);
  };
  addEventListener("dragenter", (event) => holdsFiles(event) && show(1));
  addEventListener("dragleave", (event) => holdsFiles(event) && show(-1));
  addEventListener("dragover", (event) => holdsFiles(event) && event.preventDefault());
  addEventListener("drop", async (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    show(0);
    take(await dropped(event.dataTransfer));
  });
}

function handIn(form, files) {
  if (!files.length) return;
  if (!form.checkValidity()) {
    form.querySelector("details").open = true;
    form.reportValidity();
    return;
  }
  // Alone, a file is followed on its own page; one of several in the list.
  const alone = files.length === 1 && !sending.size && !waiting.length && !scanRows().length;
  const fields = chosen(form);
  for (const file of files) {
    const upload = { file, fields, alone, row: makeRow(file.name), attempt: 0, request: null, timer: 0 };
    upload.row.upload = upload;
    if (file.size > Number(form.dataset.maxBytes)) {
      refuse(upload, { detail: `the file is larger than ${form.dataset.limit}`, hint: "use a smaller copy" });
    } else if (!file.size) {
      refuse(upload, { detail: "the file is empty", hint: "choose the file itself, not a placeholder of it" });
    } else {
      wait(upload);
    }
  }
  say(files.length === 1 ? `Sending ${files[0].name}` : `Sending ${files.length} files`);
  next();
}

/** The settings that differ from the server's: the same file with the same settings is not judged twice. */
function chosen(form) {
  const numbers = [...form.querySelectorAll("input[type=number]")];
  const fields = numbers.filter((field) => field.value !== field.defaultValue).map((f) => [f.name, f.value]);
  return form.querySelector("#again").checked ? [...fields, ["again", "true"]] : fields;
}

function wait(upload) {
  showDoing(upload.row, "waiting", "Waiting to be sent", null);
  waiting.push(upload);
}

function next() {
  while (sending.size < AT_ONCE && waiting.length) {
    const upload = waiting.shift();
    sending.add(upload);
    send(upload);
  }
}

function send(upload) {
  const body = new FormData();
  upload.fields.forEach(([name, value]) => body.append(name, value));
  body.append("file", upload.file, upload.file.name);
  const request = new XMLHttpRequest();
  upload.request = request;
  request.open("POST", "/api/v1/scans");
  request.setRequestHeader("Accept", "application/json");
  request.responseType = "json";
  request.upload.addEventListener("progress", (event) => {
    const share = event.lengthComputable ? event.loaded / event.total : undefined;
    const text = share === 1 ? "Sent" : `Sending${share === undefined ? "" : `, ${percent(share)}`}`;
    showDoing(upload.row, "sending", text, share);
  });
  request.addEventListener("load", () => answered(upload, request));
  request.addEventListener("error", () => broken(upload));
  showDoing(upload.row, "sending", "Sending", null);
  request.send(body);
}

function answered(upload, request) {
  const body = request.response;
  if (request.status === 401) {
    over(upload);
    location.assign("/login");
  } else if (NO_ROOM.includes(request.status)) {
    later(upload, Number(request.getResponseHeader("Retry-After")) || AFTER_REFUSAL_S, "Waiting for room");
  } else if (request.status !== 200 && request.status !== 201) {
    refuse(upload, body);
  } else {
    over(upload);
    if (upload.alone && !sending.size && !waiting.length) location.assign(body.links.page);
    else followScan(upload.row, body);
  }
}

function broken(upload) {
  upload.attempt += 1;
  if (upload.attempt < MOST_ATTEMPTS) {
    later(upload, AFTER_BREAK_S * upload.attempt, "The connection broke; trying again");
  } else {
    const problem = { detail: "the connection broke while the file was sent", hint: "see whether the server runs" };
    refuse(upload, problem, { again: true });
  }
}

/** Sends again after a while; until then nobody else takes its place. */
function later(upload, seconds, text) {
  showDoing(upload.row, "room", text, null);
  upload.timer = setTimeout(() => send(upload), 1000 * seconds);
}

function refuse(upload, problem, { again = false } = {}) {
  over(upload);
  const text = problemText(problem);
  showDoing(upload.row, "refused", text);
  upload.row.querySelector(".again").hidden = !again;
  say(`${upload.file.name}: ${text}`);
}

function over(upload) {
  sending.delete(upload);
  // Those who wait go on after what is being done now.
  setTimeout(next);
}

function pressed(event) {
  const row = event.target.closest(".row");
  const upload = row?.upload;
  if (!upload || row.dataset.id) return;
  if (event.target.closest(".again")) {
    upload.attempt = 0;
    wait(upload);
    next();
  } else if (event.target.closest(".cancel, .forget")) {
    clearTimeout(upload.timer);
    upload.request?.abort();
    const place = waiting.indexOf(upload);
    if (place >= 0) waiting.splice(place, 1);
    over(upload);
    dropRow(row);
  }
}
