// A finished scan on a page: ties its player, timelines, faces and switches together.

import { ask } from "./api.js";
import { Player } from "./player.js";
import { problemText, say, trouble } from "./say.js";
import { startTimeline } from "./timeline.js";
import { Track } from "./track.js";

/** Overlays by the element of their scan; also whatever is put into it later uses them. */
const known = new WeakMap();

export function startScans(root) {
  if (root.id === "downloads" && root.querySelector("#get-annotated")) say("The annotated file is ready");
  const scope = root.closest?.("[data-overlay]") ?? root;
  const scans = scope.matches?.("[data-overlay]") ? [scope] : scope.querySelectorAll("[data-overlay]");
  for (const element of scans) startScan(element, root);
}

async function startScan(element, root) {
  if (!known.has(element)) {
    known.set(element, new Scan(element));
    element.addEventListener("click", (event) => known.get(element).clicked(event));
    element.addEventListener("change", (event) => known.get(element).changed(event));
  }
  await known.get(element).start(root === document.body ? element : root);
}

class Scan {
  constructor(element) {
    this.element = element;
    this.player = null;
    this.loaded = ask(element.dataset.overlay).catch((refused) => {
      trouble(problemText(refused.problem));
      return null;
    });
  }

  /** Brings a part of the scan to life: all of it, or what came later. */
  async start(part) {
    const overlay = await this.loaded;
    if (!overlay) return;
    this.tracks ??= new Map(overlay.tracks.map((data) => [data.id, new Track(data, overlay)]));
    this.startPlayer(overlay);
    if (!this.player) return;
    for (const figure of this.element.querySelectorAll("[data-timeline]:not([data-started])")) {
      figure.dataset.started = "";
      startTimeline(figure, this.player, this.tracks.get(Number(figure.dataset.track)));
    }
    for (const box of part.querySelectorAll("[data-switch]")) box.checked = this.player.switches[box.dataset.switch];
  }

  startPlayer(overlay) {
    const element = this.element.querySelector("[data-player]:not([data-started])");
    if (!element?.querySelector("canvas")) return;
    element.dataset.started = "";
    this.player = new Player(element, overlay, [...this.tracks.values()]);
    this.player.addEventListener("time", () => this.showHeatNote());
    this.player.start();
  }

  clicked(event) {
    if (!this.player) return;
    const seek = event.target.closest("[data-seek]");
    const step = event.target.closest("[data-step]");
    if (seek) {
      this.player.video?.pause();
      this.player.seek(Number(seek.dataset.seek));
      this.bringIntoView();
    } else if (step) {
      this.player.video?.pause();
      this.stepTo(Number(step.dataset.step));
    }
  }

  changed(event) {
    const name = event.target.dataset.switch;
    if (!name || !this.player) return;
    for (const box of this.element.querySelectorAll(`[data-switch="${name}"]`)) box.checked = event.target.checked;
    this.element.classList.toggle(`${name}-on`, event.target.checked);
    this.player.switch(name, event.target.checked);
    this.showHeatNote();
  }

  /** To the next or previous frame in which anyone was seen. */
  stepTo(by) {
    const faces = [...this.tracks.values()].map((track) => track.step(this.player.time, by)).filter(Boolean);
    const times = faces.map((face) => face[0]);
    if (times.length) this.player.seek(by > 0 ? Math.min(...times) : Math.max(...times));
  }

  showHeatNote() {
    const note = this.element.querySelector(".heat-note");
    if (note) note.hidden = !this.player.switches.heat || this.player.heatDrawn;
  }

  bringIntoView() {
    const box = this.player.stage.getBoundingClientRect();
    const hidden = box.top < 0 || box.top + box.height / 2 > window.innerHeight;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (hidden) this.player.element.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
  }
}
