/* The switch "on the server / on this device", and the page's end of the worker that captions photos here. */

import { byId, remember, remembered } from "./elements.js";

const KEY = "where";
const SHOWN_CLASSES = 10;
const note = byId("where-note");
const waiting = new Map(); // the calls that the worker has not answered
let calls = 0;
let worker = null;
let ready = null; // the promise of a loaded model; it is rejected with the reason why there is none
let version = null; // of that model

export function isOnDevice() {
  return byId("on-device").checked;
}

function ask(kind, given) {
  worker ??= start();
  const id = ++calls;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    worker.postMessage({ id, kind, ...given });
  });
}

function start() {
  const started = new Worker("on-device/worker.js");
  started.addEventListener("message", ({ data }) => {
    const { resolve, reject } = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.error) reject(new Error(data.error));
    else resolve(data);
  });
  started.addEventListener("error", () => {
    worker = ready = version = null;
    for (const { reject } of waiting.values()) reject(new Error("The part of the page that captions has failed."));
    waiting.clear();
  });
  return started;
}

async function loadModel() {
  note.textContent = "Loading …";
  const answer = await fetch("on-device/model").catch(() => null);
  if (!answer && version === null) throw new Error("The server cannot be reached.");
  if (answer) version = await fetchModel(await answer.json());
  note.textContent = `Version ${version} is on this device. Photos stay here, and only you see them.`;
}

async function fetchModel(about) {
  if (about.error) throw new Error(about.error);
  note.textContent = `Loading ${(about.bytes / 1e6).toFixed(1)} MB …`;
  await ask("load", { about });
  return about.version;
}

/* Loads the model that the server answers with. Without the server, the one that is here goes on answering. */
function load() {
  ready = loadModel();
  ready.catch((error) => {
    version = null;
    note.textContent = error.message;
  });
}

/* The server answers with this version from now on; null if with none. */
export async function follow(served) {
  await ready?.catch(() => null);
  if (isOnDevice() && served !== null && served !== version) load();
}

/* What the model on this device says of a photo, as messages have it. */
export async function classify(file) {
  await ready;
  const { about, probabilities, thumbnail } = await ask("classify", { file });
  const order = [...probabilities.keys()].sort((one, other) => probabilities[other] - probabilities[one]);
  const sure = probabilities[order[0]] >= about.confidence;
  return {
    thumbnail, width: thumbnail.width, height: thumbnail.height, version: about.version,
    probabilities: order.slice(0, SHOWN_CLASSES).map((index) => [about.class_names[index], probabilities[index]]),
    named: sure ? about.class_names[order[0]] : null,
    noun: sure ? about.nouns[order[0]] : null,
  };
}

function apply() {
  const here = isOnDevice();
  byId("drop").textContent = here ? "Let go for a caption" : "Let go to send";
  byId("empty").textContent = here
    ? "Drop a photo anywhere: it stays on this device, and you read what is in it."
    : "Drop a photo anywhere, and everybody here reads what is in it.";
  if (here) load();
  else note.textContent = "";
}

if (remembered(KEY) === "device") byId("on-device").checked = true;
for (const choice of document.getElementsByName("where")) {
  choice.addEventListener("change", () => {
    remember(KEY, isOnDevice() ? "device" : "server");
    apply();
  });
}
apply();
