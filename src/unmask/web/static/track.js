// Where a person's box is at any time, from the frames that were looked at; as in annotated videos.

/** One person's faces in order of time, each [time, x1, y1, x2, y2, P(fake) or null]. */
export class Track {
  constructor(data, rules) {
    this.id = data.id;
    this.points = data.points;
    this.evidence = data.evidence;
    this.rules = rules;
  }

  /** { box, p } at a time in seconds, null where the person is not seen. */
  at(time) {
    const n = this.after(time);
    const after = this.points[n];
    const before = this.points[n - 1];
    if (before && after && after[0] - before[0] <= this.rules.bridge) {
      const share = (time - before[0]) / (after[0] - before[0]);
      const box = [1, 2, 3, 4].map((k) => before[k] + share * (after[k] - before[k]));
      return { box, p: (share < 0.5 ? before : after)[5] };
    }
    if (after && after[0] - time <= this.hold(after)) return seen(after);
    if (before && time - before[0] <= this.hold(before)) return seen(before);
    return null;
  }

  /** The face looked at nearest to a time. */
  nearest(time) {
    const n = this.after(time);
    const [before, after] = [this.points[n - 1], this.points[n]];
    if (!before || !after) return before ?? after;
    return time - before[0] < after[0] - time ? before : after;
  }

  /** The face looked at before (-1) or after (1) a time, undefined where there is none. */
  step(time, by) {
    const near = 0.01;
    return by > 0
      ? this.points[this.after(time + near)]
      : this.points.findLast((point) => point[0] < time - near);
  }

  /** The kept face whose heatmap belongs to a time, undefined where there is none near enough. */
  evidenceAt(time) {
    const reach = this.rules.still ? Infinity : this.rules.step;
    const near = this.evidence.filter((face) => face.heat && face.corners.length === 4 && Math.abs(face.t - time) <= reach);
    return near.sort((a, b) => Math.abs(a.t - time) - Math.abs(b.t - time))[0];
  }

  hold(point) {
    return this.rules.ends.includes(point[0]) ? this.rules.hold_at_end : this.rules.hold;
  }

  /** The place of the first face at or after a time. */
  after(time) {
    let [low, high] = [0, this.points.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.points[middle][0] < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function seen(point) {
  return { box: point.slice(1, 5), p: point[5] };
}
