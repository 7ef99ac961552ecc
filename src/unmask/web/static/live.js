// A file that waits or is being looked at: shows how far it is and what is known, then the result in its place.

import { ask } from "./api.js";
import { say } from "./say.js";
import { chip, clock, percent, probability } from "./words.js";

/** People shown while the file is looked at; the result has all. */
const MOST_PEOPLE = 6;

/** Pause before a stream that was refused is asked for again. */
const AFTER_LOSS_MS = 3000;

const FINAL = ["done", "failed", "cancelled"];

export function startLive(root) {
  const found = root.matches?.("[data-live]") ? root : root.querySelector("[data-live]");
  if (found) new Live(found).start();
}

class Live {
  constructor(element) {
    this.element = element;
    this.doing = element.querySelector("#doing");
    this.progress = element.querySelector("#progress");
    this.people = new Map();
    this.latest = 0;
    this.over = false;
    this.stream = null;
    this.verdict = null;
  }

  start() {
    // A page that nobody sees needs no connection: browsers open only a few for all tabs together.
    document.addEventListener("visibilitychange", () => this.follow());
    this.follow();
  }

  follow() {
    const wanted = !document.hidden && !this.over && this.element.isConnected;
    if (wanted && !this.stream) this.open();
    else if (!wanted) this.close();
  }

  open() {
    this.stream = new EventSource(this.element.dataset.live);
    const on = (name, act) => this.stream.addEventListener(name, (event) => act(JSON.parse(event.data)));
    on("queued", ({ ahead }) => this.queued(ahead));
    on("started", () => this.started());
    on("progress", (known) => this.known(known));
    for (const name of FINAL) on(name, () => this.finish());
    on("deleted", () => this.gone());
    this.stream.addEventListener("error", () => this.lost());
  }

  close() {
    this.stream?.close();
    this.stream = null;
  }

  queued(ahead) {
    this.say(ahead ? `Others are looked at first: ${ahead}` : "It begins as soon as there is room");
    this.progress.value = 0;
  }

  started() {
    this.element.querySelector("#verdict .word").textContent = "Being looked at";
    this.say("The first frames are on their way");
    this.progress.removeAttribute("value");
    this.people.forEach(({ element }) => element.remove());
    this.people.clear();
    this.latest = 0;
  }

  known({ share, frames, faces, verdict, probability: p, people, points }) {
    this.element.dataset.state = "running";
    this.progress.value = share;
    this.say(`${percent(share)}: ${frames} frames looked at, ${faces} faces judged`);
    const soFar = this.element.querySelector("#so-far");
    soFar.hidden = !verdict;
    if (verdict) {
      soFar.querySelector("b").replaceChildren(chip(verdict));
      soFar.querySelector(".number").textContent = probability(p);
      if (verdict !== this.verdict) say(`So far: ${soFar.querySelector(".chip").lastChild.textContent}`, { often: true });
      this.verdict = verdict;
    }
    this.showThumbnail();
    this.latest = Math.max(this.latest, ...points.map((point) => point[1]));
    // How long the file is is not known yet; how far it is looked at tells about that.
    const end = share > 0 ? this.latest / share : 0;
    this.showPeople(people, points, end);
  }

  showPeople(people, points, end) {
    const shown = document.getElementById("live-people");
    shown.hidden = end <= 0 || !people.length;
    for (const person of people) {
      if (!this.people.has(person.id) && this.people.size < MOST_PEOPLE) this.addPerson(person.id, shown);
      this.people.get(person.id)?.show(person, end);
    }
    for (const [id, time, p] of points) this.people.get(id)?.add(time, p);
    this.people.forEach((person) => person.draw());
  }

  addPerson(id, shown) {
    const element = document.getElementById("live-person").content.firstElementChild.cloneNode(true);
    shown.append(element);
    this.people.set(id, new LivePerson(element, id));
  }

  /** There is a picture once the first frame was looked at. */
  showThumbnail() {
    const picture = document.getElementById("thumbnail");
    if (!picture?.dataset.src) return;
    picture.src = picture.dataset.src;
    picture.removeAttribute("data-src");
    picture.hidden = false;
  }

  say(text) {
    this.doing.textContent = text;
  }

  async lost() {
    if (this.stream?.readyState !== EventSource.CLOSED) return;
    // The server refuses the stream: too many may be open, or it may be on its way up again.
    this.close();
    try {
      const { state } = await ask(this.element.dataset.live.replace(/\/events$/, ""));
      if (FINAL.includes(state)) return this.finish();
    } catch (refused) {
      if (refused.status === 404) return this.gone();
    }
    setTimeout(() => this.follow(), AFTER_LOSS_MS);
  }

  /** There is nothing to ask for any more. */
  gone() {
    this.over = true;
    this.close();
    this.element.dataset.state = "deleted";
    this.element.querySelector("#verdict .word").textContent = "Deleted";
    this.say("This scan was deleted, with its file and everything made of it.");
    for (const part of this.element.querySelectorAll("progress, #so-far, form, .watch, #live-people")) part.remove();
    document.title = "Deleted (unmask)";
    say("This scan was deleted");
  }

  async finish() {
    this.over = true;
    this.close();
    const held = this.element.contains(document.activeElement);
    await window.htmx.ajax("GET", this.element.dataset.result, { target: this.element, swap: "outerHTML" });
    const result = document.getElementById("scan");
    document.title = result.dataset.title;
    say(result.dataset.title);
    if (held) document.getElementById("verdict").focus();
  }
}

/** One person's dots, growing with the file. */
class LivePerson {
  constructor(element, id) {
    this.element = element;
    this.path = "";
    element.querySelector(".name").textContent = `Person ${id}`;
  }

  show(person, end) {
    this.element.querySelector(".chip").replaceWith(chip(person.verdict));
    this.element.querySelector(".number").textContent = probability(person.probability);
    this.element.querySelector(".readout").textContent = `seen until ${clock(person.latest)}`;
    this.end = end;
  }

  add(time, p) {
    this.path += `M${time.toFixed(2)} ${(100 * (1 - p)).toFixed(1)}h0`;
  }

  draw() {
    this.element.querySelector(".dots").setAttribute("d", this.path);
    this.element.querySelector(".strokes").setAttribute("viewBox", `0 0 ${this.end || 1} 100`);
  }
}
