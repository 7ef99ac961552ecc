// Starts what a page needs, when it loads and again for whatever htmx puts into it later.

import { startConfirm } from "./confirm.js";
import { startCopy } from "./copy.js";
import { startLive } from "./live.js";
import { startScans } from "./scan.js";
import { startSelection } from "./selection.js";
import { startTimes } from "./times.js";
import { startTrouble } from "./say.js";
import { startUpload } from "./upload.js";
import { startWatch } from "./watch.js";

const PER_PAGE = [startTrouble, startConfirm, startCopy, startWatch, startUpload, startSelection];
const PER_PART = [startTimes, startLive, startScans];

let begun = false;

document.addEventListener("htmx:load", (event) => {
  if (!begun) {
    begun = true;
    PER_PAGE.forEach((start) => start());
  }
  PER_PART.forEach((start) => start(event.detail.elt));
});
