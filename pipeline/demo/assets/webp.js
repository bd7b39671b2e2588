"use strict";

/* Chromium turns JPEG, PNG and AVIF as their EXIF data say, but not WebP; the server turns all of them. */

const ORIENTATION = 0x0112, UPRIGHT = 1;

const letters = (view, place) => String.fromCharCode(...[0, 1, 2, 3].map((index) => view.getUint8(place + index)));

/* The orientation in EXIF data that start at a place: 1 to 8, and 1 if they say nothing. */
function orientation(view, place) {
  const start = letters(view, place) === "Exif" ? place + 6 : place;
  const little = letters(view, start).startsWith("II");
  const list = start + view.getUint32(start + 4, little);
  for (let index = 0; index < view.getUint16(list, little); index++) {
    const entry = list + 2 + 12 * index;
    if (view.getUint16(entry, little) === ORIENTATION) return view.getUint16(entry + 8, little);
  }
  return UPRIGHT;
}

/* Whether the file is a WebP that is to be turned. Damaged EXIF data count as none. */
async function isTurnedWebp(file) {
  const start = new DataView(await file.slice(0, 12).arrayBuffer());
  if (start.byteLength < 12 || letters(start, 0) !== "RIFF" || letters(start, 8) !== "WEBP") return false;
  const view = new DataView(await file.arrayBuffer());
  try {
    for (let place = 12, length; place < view.byteLength; place += 8 + length + length % 2) {
      length = view.getUint32(place + 4, true);
      if (letters(view, place) === "EXIF") return orientation(view, place + 8) !== UPRIGHT;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return false;
}
