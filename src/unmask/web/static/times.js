// Shows times in the reader's own zone and language instead of in UTC.

const FORM = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export function startTimes(root) {
  for (const time of root.querySelectorAll("time[data-local]")) {
    time.textContent = FORM.format(new Date(time.dateTime));
    time.removeAttribute("data-local");
  }
}
