// The video or picture of a scan, with boxes and heatmaps drawn over it in time with what is shown.

import { probability } from "./words.js";

/** Seconds past a frame's time to seek to, so that rounding does not show the frame before. */
const INTO_FRAME = 0.004;

const LABEL = "600 13px system-ui, sans-serif";
const LABEL_HEIGHT = 20;
const EDGE = "rgb(16 16 16)";

export class Player extends EventTarget {
  /** `element` holds the medium and the canvas; `overlay` is what the server says to draw, `tracks` its people. */
  constructor(element, overlay, tracks) {
    super();
    this.element = element;
    this.stage = element.querySelector(".stage");
    this.medium = element.querySelector(".medium");
    this.canvas = element.querySelector("canvas");
    this.overlay = overlay;
    this.tracks = tracks;
    this.time = 0;
    this.switches = { boxes: true, heat: false };
    this.pictures = new Map();
  }

  get video() {
    return this.medium instanceof HTMLVideoElement ? this.medium : null;
  }

  start() {
    new ResizeObserver(() => this.draw()).observe(this.stage);
    this.medium.addEventListener(this.video ? "loadeddata" : "load", () => this.moved());
    if (this.video) this.followVideo();
    this.startFullscreen();
    this.draw();
  }

  /** Goes to a time, in seconds. */
  seek(time) {
    if (!this.video) return;
    const end = this.video.duration || time;
    this.video.currentTime = Math.min(Math.max(0, time + INTO_FRAME), end);
    this.show(Math.max(0, time));
  }

  /** Plays or pauses. */
  toggle() {
    if (this.video?.paused) this.video.play();
    else this.video?.pause();
  }

  get paused() {
    return this.video?.paused ?? true;
  }

  switch(name, on) {
    this.switches[name] = on;
    this.draw();
  }

  followVideo() {
    const video = this.video;
    for (const name of ["seeked", "timeupdate", "pause"]) video.addEventListener(name, () => this.moved());
    if ("requestVideoFrameCallback" in video) {
      const shown = (_, frame) => {
        this.show(frame.mediaTime);
        video.requestVideoFrameCallback(shown);
      };
      video.requestVideoFrameCallback(shown);
    } else {
      const look = () => {
        this.moved();
        if (!video.paused) requestAnimationFrame(look);
      };
      video.addEventListener("play", look);
    }
  }

  /** Without word from the browser of which frame is shown, the clock tells. */
  moved() {
    const told = this.video && "requestVideoFrameCallback" in this.video && !this.video.paused;
    if (!told) this.show(this.video?.currentTime ?? 0);
  }

  show(time) {
    this.time = time;
    this.draw();
    this.dispatchEvent(new Event("time"));
  }

  startFullscreen() {
    const button = this.element.querySelector("[data-fullscreen]");
    if (!button || !document.fullscreenEnabled) return;
    // The browser's own button would show the video without what is drawn over it.
    button.hidden = false;
    button.addEventListener("click", () => {
      if (document.fullscreenElement) document.exitFullscreen();
      else this.element.requestFullscreen();
    });
    document.addEventListener("fullscreenchange", () => {
      button.textContent = document.fullscreenElement ? "Leave full screen" : "Full screen";
    });
  }

  draw() {
    const place = this.place();
    if (!this.canvas || !place) return;
    const context = this.canvas.getContext("2d");
    const sharp = window.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (this.canvas.width !== Math.round(width * sharp)) this.canvas.width = Math.round(width * sharp);
    if (this.canvas.height !== Math.round(height * sharp)) this.canvas.height = Math.round(height * sharp);
    context.setTransform(sharp, 0, 0, sharp, 0, 0);
    context.clearRect(0, 0, width, height);
    if (this.switches.heat) this.drawHeat(context, place, sharp);
    if (this.switches.boxes) this.drawBoxes(context, place);
  }

  /** Where the picture lies on the canvas, and by how much it is scaled. */
  place() {
    const natural = this.video
      ? [this.video.videoWidth, this.video.videoHeight]
      : [this.medium.naturalWidth, this.medium.naturalHeight];
    if (!natural[0]) return null;
    const size = this.overlay.size ?? natural;
    const on = this.stage.getBoundingClientRect();
    const at = this.medium.getBoundingClientRect();
    const scale = Math.min(at.width / natural[0], at.height / natural[1]);
    const [width, height] = [natural[0] * scale, natural[1] * scale];
    return {
      x: at.x - on.x + (at.width - width) / 2,
      y: at.y - on.y + (at.height - height) / 2,
      // Pixels need not be square, so each direction has its own scale.
      sx: width / size[0],
      sy: height / size[1],
      right: at.x - on.x + (at.width + width) / 2,
      bottom: at.y - on.y + (at.height + height) / 2,
    };
  }

  drawBoxes(context, place) {
    context.font = LABEL;
    context.textBaseline = "middle";
    for (const track of this.tracks) {
      const seen = track.at(this.time);
      if (!seen) continue;
      const look = this.overlay.looks[this.verdict(seen.p)];
      const [x1, y1, x2, y2] = seen.box;
      const x = place.x + x1 * place.sx;
      const y = place.y + y1 * place.sy;
      const [width, height] = [(x2 - x1) * place.sx, (y2 - y1) * place.sy];
      for (const [line, colour] of [[4, EDGE], [2, look.colour]]) {
        context.lineWidth = line;
        context.strokeStyle = colour;
        context.strokeRect(x, y, width, height);
      }
      const said = seen.p === null ? look.word.toLowerCase() : `${look.sign} ${probability(seen.p)}`;
      this.drawLabel(context, place, x, y, height, `${track.id} ${said}`, look);
    }
  }

  drawLabel(context, place, x, y, height, text, look) {
    const width = context.measureText(text).width + 12;
    const left = Math.min(Math.max(x - 1, place.x), place.right - width);
    const above = y - 1 - LABEL_HEIGHT;
    const top = above >= place.y ? above : Math.min(y + height + 1, place.bottom - LABEL_HEIGHT);
    context.fillStyle = look.colour;
    context.fillRect(left, top, width, LABEL_HEIGHT);
    context.fillStyle = look.ink;
    context.fillText(text, left + 6, top + LABEL_HEIGHT / 2 + 1);
  }

  drawHeat(context, place, sharp) {
    let drawn = false;
    for (const track of this.tracks) {
      const face = track.evidenceAt(this.time);
      if (!face || !track.at(this.time)) continue;
      drawn = true;
      const picture = this.picture(face.heat);
      if (!picture) continue;
      const [a, b, , d] = face.corners.map(([x, y]) => [place.x + x * place.sx, place.y + y * place.sy]);
      const side = picture.naturalWidth;
      context.setTransform(
        (sharp * (b[0] - a[0])) / side,
        (sharp * (b[1] - a[1])) / side,
        (sharp * (d[0] - a[0])) / side,
        (sharp * (d[1] - a[1])) / side,
        sharp * a[0],
        sharp * a[1],
      );
      context.drawImage(picture, 0, 0);
    }
    context.setTransform(sharp, 0, 0, sharp, 0, 0);
    this.heatDrawn = drawn;
  }

  /** A heatmap's picture, null until it is loaded. */
  picture(address) {
    let picture = this.pictures.get(address);
    if (!picture) {
      picture = new Image();
      picture.addEventListener("load", () => this.draw());
      picture.src = address;
      this.pictures.set(address, picture);
    }
    return picture.complete && picture.naturalWidth ? picture : null;
  }

  verdict(p) {
    if (p === null || !this.overlay.band) return "FACE_TOO_SMALL";
    const [real, fake] = this.overlay.band;
    if (p >= fake) return "FAKE";
    return p <= real ? "REAL" : "UNSURE";
  }
}
