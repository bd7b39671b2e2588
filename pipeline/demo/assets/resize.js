"use strict";

/* The twin of components/images/resize.py: what the model sees of a photo is the same here as on the server. */

const STRIP_ROWS = 256; // are drawn and read at a time: a copy of the whole window would take much memory

/* Rounds halves to the even number, as TensorFlow does. */
function rounded(number) {
  const nearest = Math.round(number);
  return nearest - number === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}

/* The largest centered window of the target's aspect ratio. Sizes are {width, height}, in pixels. */
function centeredWindow(size, target) {
  const scale = Math.min(size.height / target.height, size.width / target.width);
  const width = Math.max(rounded(target.width * scale), 1), height = Math.max(rounded(target.height * scale), 1);
  return { left: Math.floor((size.width - width) / 2), top: Math.floor((size.height - height) / 2), width, height };
}

/* For each of `to` pixels: the first of `from` pixels that it sees, and the weights of that one and the next ones. */
function triangles(from, to) {
  const scale = from / to, reach = Math.max(scale, 1);
  return Array.from({ length: to }, (_, index) => {
    const center = (index + 0.5) * scale;
    const first = Math.max(Math.ceil(center - reach - 0.5), 0);
    const last = Math.min(Math.floor(center + reach - 0.5), from - 1);
    const weights = Float32Array.from({ length: last - first + 1 },
      (_, offset) => 1 - Math.abs(first + offset + 0.5 - center) / reach);
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

/* Rows of RGBA, 0-255, as rows of RGB that are as wide as there are columns. */
function narrowed(rgba, width, height, columns) {
  const narrow = new Float32Array(height * columns.length * 3);
  let place = 0;
  for (let row = 0; row < height; row++) {
    for (const { first, weights } of columns) {
      let red = 0, green = 0, blue = 0, pixel = 4 * (row * width + first);
      for (let index = 0; index < weights.length; index++, pixel += 4) {
        const weight = weights[index];
        red += weight * rgba[pixel];
        green += weight * rgba[pixel + 1];
        blue += weight * rgba[pixel + 2];
      }
      narrow[place++] = red;
      narrow[place++] = green;
      narrow[place++] = blue;
    }
  }
  return narrow;
}

/* Adds to the result what its rows see of a strip whose first row is `top`. */
function addStrip(sums, strip, top, rows, length) {
  const bottom = top + strip.length / length;
  rows.forEach(({ first, weights }, row) => {
    const end = Math.min(first + weights.length, bottom);
    for (let seen = Math.max(first, top); seen < end; seen++) {
      const weight = weights[seen - first], from = (seen - top) * length, to = row * length;
      for (let index = 0; index < length; index++) sums[to + index] += weight * strip[from + index];
    }
  });
}

/* What the model sees of an upright photo: whole levels, 0-255, RGB, in rows; opacity is laid on white. */
function cropAndResize(bitmap, target) {
  const part = centeredWindow(bitmap, target), length = 3 * target.width;
  const columns = triangles(part.width, target.width), rows = triangles(part.height, target.height);
  const canvas = new OffscreenCanvas(part.width, Math.min(STRIP_ROWS, part.height));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  const sums = new Float32Array(target.height * length);
  for (let top = 0; top < part.height; top += STRIP_ROWS) {
    const height = Math.min(STRIP_ROWS, part.height - top);
    context.fillRect(0, 0, part.width, height);
    context.drawImage(bitmap, -part.left, -part.top - top);
    const { data } = context.getImageData(0, 0, part.width, height);
    addStrip(sums, narrowed(data, part.width, height, columns), top, rows, length);
  }
  return Uint8ClampedArray.from(sums); // it rounds as TensorFlow does
}
