// Numbers and verdicts as the pages write them.

/** P(fake) with two digits; never "1.00" or "0.00", which no model can promise. */
export function probability(value) {
  if (value === null || value === undefined) return "–";
  if (value > 0.99) return ">0.99";
  return value < 0.01 ? "<0.01" : value.toFixed(2);
}

/** Seconds as m:ss.t, with hours in front where there are any. */
export function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(tenths / 36000);
  const minutes = Math.floor((tenths % 36000) / 600);
  const rest = tenths % 600;
  const tail = `${two(Math.floor(rest / 10))}.${rest % 10}`;
  return hours ? `${hours}:${two(minutes)}:${tail}` : `${minutes}:${tail}`;
}

/** A share in [0, 1] as whole percent. */
export function percent(share) {
  return `${Math.floor(100 * share)} %`;
}

/** A verdict as the page shows it, sign and word; empty for none. */
export function chip(verdict) {
  const found = verdict && document.getElementById("chips").content.querySelector(`[data-verdict="${verdict}"]`);
  return found ? found.cloneNode(true) : document.createTextNode("");
}
