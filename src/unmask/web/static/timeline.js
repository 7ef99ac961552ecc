// A timeline that can be moved along: by clicking and dragging, and by keys, as a slider.

import { clock, probability } from "./words.js";

const LONG_STEP_S = 10;

/** Makes a timeline a slider over the player's time; `track` has the faces it shows. */
export function startTimeline(figure, player, track) {
  const plot = figure.querySelector(".plot");
  const playhead = figure.querySelector(".playhead");
  const readout = figure.querySelector(".readout");
  const end = Number(figure.dataset.end);

  const told = (time) => {
    const near = track.nearest(time);
    const seen = track.at(time);
    return `${clock(time)}, ${seen && near ? `P(fake) ${probability(near[5])}` : "not seen"}`;
  };
  const show = () => {
    const time = Math.min(player.time, end);
    const x = `${((100 * time) / end).toFixed(2)}%`;
    playhead.setAttribute("x1", x);
    playhead.setAttribute("x2", x);
    // While it plays, a slider that tells every frame would never be silent.
    if (!player.paused) return;
    plot.setAttribute("aria-valuenow", time.toFixed(1));
    plot.setAttribute("aria-valuetext", told(time));
  };
  const timeAt = (event) => {
    const box = plot.getBoundingClientRect();
    return end * Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  };

  plot.setAttribute("role", "slider");
  plot.tabIndex = 0;
  plot.setAttribute("aria-label", plot.dataset.label);
  plot.setAttribute("aria-valuemin", "0");
  plot.setAttribute("aria-valuemax", String(end));
  plot.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    plot.setPointerCapture(event.pointerId);
    player.seek(timeAt(event));
  });
  plot.addEventListener("pointermove", (event) => {
    readout.textContent = told(timeAt(event));
    if (plot.hasPointerCapture(event.pointerId)) player.seek(timeAt(event));
  });
  plot.addEventListener("pointerleave", () => {
    readout.textContent = "";
  });
  plot.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " ") player.toggle();
    else {
      const time = timeOf(event.key, player.time, track, end);
      if (time === null) return;
      player.seek(Math.min(Math.max(time, 0), end));
    }
    event.preventDefault();
  });
  player.addEventListener("time", show);
  show();
}

/** Where a key leads, null where it leads nowhere. */
function timeOf(key, now, track, end) {
  switch (key) {
    case "ArrowLeft":
    case "ArrowDown":
      return track.step(now, -1)?.[0] ?? null;
    case "ArrowRight":
    case "ArrowUp":
      return track.step(now, 1)?.[0] ?? null;
    case "PageUp":
      return now + LONG_STEP_S;
    case "PageDown":
      return now - LONG_STEP_S;
    case "Home":
      return 0;
    case "End":
      return end;
    default:
      return null;
  }
}
