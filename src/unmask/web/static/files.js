// The files of a drop or a paste, those in dropped folders as well.

/** All files that were dropped. The browser empties `transfer` soon after the event, so this must begin at once. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const found = await Promise.all(entries.map(filesOf));
  return found.flat();
}

/** What was pasted, with names that tell one picture from the next. */
export function pasted(clipboard) {
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  return [...clipboard.files].map((file) =>
    file.name === "image.png" ? new File([file], `pasted ${stamp}.png`, { type: file.type }) : file,
  );
}

async function filesOf(entry) {
  if (entry.isFile) {
    return [await new Promise((found, lost) => entry.file(found, lost))];
  }
  const reader = entry.createReader();
  const files = [];
  // A reader gives a folder piece by piece, and an empty piece at its end.
  for (;;) {
    const piece = await new Promise((found, lost) => reader.readEntries(found, lost));
    if (!piece.length) return files;
    files.push(...(await Promise.all(piece.map(filesOf))).flat());
  }
}
