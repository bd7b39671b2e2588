"use strict";

/* Classifies photos beside the page, on this device. The page asks {id, kind, ...}, and is answered with {id, ...}. */

importScripts("../assets/resize.js", "../assets/webp.js");

const LITERT = "litert/core/";
const THUMBNAIL_PIXELS = 720;
// A function that makes a vector of 16 bytes: WebAssembly with SIMD, which LiteRT needs, knows the instruction.
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);
let starting = null; // the promise of LiteRT
let loaded = null; // the model, and what the server says of it

async function start() {
  if (typeof WebAssembly !== "object" || !WebAssembly.validate(SIMD)) {
    throw new Error("This browser has no WebAssembly with SIMD, which LiteRT needs.");
  }
  const wasm = String(new URL(`${LITERT}wasm/`, location));
  const litert = await import(new URL(`${LITERT}dist/index.js`, location));
  self.Module = { locateFile: (name) => wasm + name }; // else beside this script
  console.error = console.debug; // LiteRT logs all that it does as errors
  await litert.loadLiteRt(wasm);
  return litert;
}

async function load({ about }) {
  starting ??= start();
  const litert = await starting.catch((error) => {
    starting = null; // the next try may do better
    throw error;
  });
  const answer = await fetch(new URL(about.file, location));
  if (!answer.ok) throw new Error(`Version ${about.version} of the model is no longer there.`);
  const found = await run(litert, new Uint8Array(await answer.arrayBuffer()), about).catch((error) => {
    throw new Error(`The file of version ${about.version} does not run here: ${error.message}. Push it again.`);
  });
  if (found.length !== about.class_names.length) {
    throw new Error(`The file of version ${about.version} is not the one that was pushed. Push it again.`);
  }
  return {};
}

/* Takes a file as the model, and what it says of a black image: the first one takes longer. */
async function run(litert, file, about) {
  const network = await litert.loadAndCompile(file, { accelerator: "wasm" });
  loaded?.network.delete();
  loaded = { litert, network, about };
  return probabilities(new Float32Array(about.height * about.width * 3));
}

/* The probability of each class, for float32 (1, height, width, 3), RGB, 0-255. */
async function probabilities(pixels) {
  const { litert, network, about } = loaded;
  const input = new litert.Tensor(pixels, [1, about.height, about.width, 3]);
  const outputs = await network.run([input]);
  const result = Array.from(outputs[0].toTypedArray());
  for (const tensor of [input, ...outputs]) tensor.delete();
  return result;
}

async function classify({ file }) {
  if (await isTurnedWebp(file)) throw new Error("This browser does not turn WebP files upright.");
  const bitmap = await createImageBitmap(file).catch(() => { // upright, in sRGB
    throw new Error("This browser cannot read it.");
  });
  try {
    const { about } = loaded;
    const found = await probabilities(Float32Array.from(cropAndResize(bitmap, about)));
    return { about, probabilities: found, thumbnail: await thumbnail(bitmap) };
  } finally {
    bitmap.close();
  }
}

function thumbnail(bitmap) {
  const scale = Math.min(THUMBNAIL_PIXELS / Math.max(bitmap.width, bitmap.height), 1);
  const side = (pixels) => Math.max(Math.round(scale * pixels), 1);
  const size = { resizeWidth: side(bitmap.width), resizeHeight: side(bitmap.height), resizeQuality: "medium" };
  return createImageBitmap(bitmap, size);
}

const KINDS = { load, classify };
let last = Promise.resolve();
addEventListener("message", ({ data }) => {
  last = last.then(async () => { // one after another: a photo of 12 megapixels takes 48 MB
    try {
      const result = await KINDS[data.kind](data);
      postMessage({ id: data.id, ...result }, result.thumbnail ? [result.thumbnail] : []);
    } catch (error) {
      postMessage({ id: data.id, error: String(error?.message ?? error) });
    }
  });
});
