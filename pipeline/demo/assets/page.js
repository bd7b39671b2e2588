"use strict";

const byId = (id) => document.getElementById(id);
const member = byId("member"), messages = byId("messages"), problem = byId("problem");
const maxBytes = Number(document.body.dataset.maxBytes);
const keptMessages = Number(document.body.dataset.keptMessages);
let lastId = 0;
let events = null;

/* An element with attributes and children; text is only ever text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function percent(fraction, decimals) {
  return `${(100 * fraction).toFixed(decimals)}\u202f%`;
}

function avatar(name) {
  let hue = 0;
  for (const character of name) hue = (hue * 31 + character.codePointAt(0) * 47) % 360;
  const element = make("span", { class: "avatar", "aria-hidden": "true" }, [...name][0]);
  element.style.setProperty("--hue", hue);
  return element;
}

/* What everybody reads. */

function who(message) {
  const time = new Date(message.sent);
  const shown = time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return make("div", { class: "who" }, message.member, make("time", { datetime: message.sent }, shown));
}

function chart(photo) {
  const rows = photo.probabilities.map(([name, probability]) => {
    const bar = make("i");
    bar.style.setProperty("--share", `${100 * probability}%`);
    return make("tr", name === photo.named ? { class: "named" } : {},
      make("th", { scope: "row" }, name),
      make("td", {}, make("span", { class: "bar", "aria-hidden": "true" }, bar)),
      make("td", {}, percent(probability, 1)));
  });
  const caption = make("caption", {}, `What version ${photo.version} of the model says`);
  return make("details", {}, make("summary", {}, "How sure?"), make("table", { class: "classes" }, caption, ...rows));
}

function figure(message) {
  const { photo } = message;
  const image = make("img", {
    src: `thumbnails/${message.id}`, width: photo.width, height: photo.height, alt: `Photo from ${message.member}`,
  });
  if (Math.max(photo.width, photo.height) <= 96) image.classList.add("small");
  const element = make("figure", {}, image, make("figcaption", {}, message.text));
  if (photo.probabilities.length) element.append(chart(photo));
  return element;
}

function show(message) {
  if (message.id <= lastId) return;
  lastId = message.id;
  const atEnd = messages.scrollHeight - messages.scrollTop - messages.clientHeight < 80;
  const said = message.photo ? figure(message) : make("div", { class: "said" }, message.text);
  messages.append(message.member === null
    ? make("li", { class: "notice" }, message.text)
    : make("li", {}, avatar(message.member), who(message), said));
  while (messages.children.length > keptMessages) messages.firstElementChild.remove();
  byId("empty").hidden = true;
  if (atEnd || message.member === member.value) messages.scrollTop = messages.scrollHeight;
}

function abilities(model) {
  if (model.version === null) return "";
  if (model.confidence > 1) return `Version ${model.version} is too unsure to name anything. `;
  return `Version ${model.version} names what it is at least ${percent(model.confidence, 0)} sure of. `;
}

function showModel(model) {
  byId("model").textContent = abilities(model) + model.note;
}

function showMembers(names) {
  byId("members").replaceChildren(...names.map((name) => make("li", {}, avatar(name), make("span", {}, name))));
}

function listen() {
  if (events) events.close();
  events = new EventSource(`events?${new URLSearchParams({ member: member.value, after: lastId })}`);
  const on = (kind, handle) => events.addEventListener(kind, (event) => handle(JSON.parse(event.data)));
  on("message", show);
  on("model", showModel);
  on("members", showMembers);
  events.addEventListener("error", () => {
    byId("model").textContent = "The connection is lost; trying again …";
    // The browser tries again by itself, but not after an answer such as "full".
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  });
}

/* What one sends. */

function complain(text) {
  problem.textContent = text;
  problem.hidden = !text;
}

async function send(address, options, what) {
  try {
    const answer = await fetch(address, { method: "POST", ...options });
    if (answer.ok) return true;
    const { error } = await answer.json().catch(() => ({ error: `The server answered ${answer.status}.` }));
    complain(what + error);
  } catch {
    complain(`${what}The server cannot be reached.`);
  }
  return false;
}

async function sendPhotos(files) {
  complain("");
  for (const file of files) {
    if (file.size > maxBytes) {
      complain(`${file.name}: This is larger than ${maxBytes / 1e6} MB.`);
      continue;
    }
    byId("progress").textContent = `Sending ${file.name} …`;
    await send(`photos?${new URLSearchParams({ member: member.value })}`, { body: file }, `${file.name}: `);
  }
  byId("progress").textContent = "";
}

byId("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = byId("text").value.trim();
  if (!text) return;
  complain("");
  const body = JSON.stringify({ member: member.value, text });
  if (await send("messages", { body, headers: { "Content-Type": "application/json" } }, "")) byId("text").value = "";
});

byId("photo").addEventListener("change", async (event) => {
  const files = [...event.target.files];
  event.target.value = "";
  await sendPhotos(files);
});

const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
addEventListener("dragover", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
addEventListener("drop", (event) => {
  document.body.classList.remove("dropping");
  if (!hasFiles(event)) return;
  event.preventDefault();
  sendPhotos([...event.dataTransfer.files]);
});
addEventListener("paste", (event) => {
  if (event.clipboardData?.files.length) sendPhotos([...event.clipboardData.files]);
});

/* Who one is. */

function remembered() {
  try {
    return localStorage.getItem("member");
  } catch {
    return null;
  }
}

member.value = remembered() || `Guest ${100 + Math.floor(900 * Math.random())}`;
let known = member.value;
member.addEventListener("change", () => {
  member.value = member.value.trim() || known;
  if (member.value === known) return;
  known = member.value;
  try {
    localStorage.setItem("member", known);
  } catch { /* it lasts as long as the page */ }
  listen();
});
listen();
