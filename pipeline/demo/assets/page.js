import { avatar, byId, item, make, percent, remember, remembered } from "./elements.js";
import { classify, follow, isOnDevice } from "./on_device.js";

const member = byId("member"), messages = byId("messages"), problem = byId("problem");
const maxBytes = Number(document.body.dataset.maxBytes);
const keptMessages = Number(document.body.dataset.keptMessages);
let lastId = 0;
let events = null;

/* What everybody reads. */

function add(message) {
  const atEnd = messages.scrollHeight - messages.scrollTop - messages.clientHeight < 80;
  messages.append(item(message));
  while (messages.children.length > keptMessages) messages.firstElementChild.remove();
  byId("empty").hidden = true;
  if (atEnd || message.member === member.value) messages.scrollTop = messages.scrollHeight;
}

function show(message) {
  if (message.id <= lastId) return;
  lastId = message.id;
  add(message);
}

function abilities(model) {
  if (model.version === null) return "";
  if (model.confidence > 1) return `Version ${model.version} is too unsure to name anything. `;
  return `Version ${model.version} names what it is at least ${percent(model.confidence, 0)} sure of. `;
}

function showModel(model) {
  byId("model").textContent = abilities(model) + model.note;
  follow(model.version);
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
  const left = [];
  for (const file of files) {
    if (!isOnDevice()) await upload(file);
    else if (!await captionHere(file)) left.push(file);
  }
  byId("progress").textContent = "";
  if (left.length) problem.append(" ", offer(left));
}

async function upload(file) {
  if (file.size > maxBytes) {
    complain(`${file.name}: This is larger than ${maxBytes / 1e6} MB.`);
    return;
  }
  byId("progress").textContent = `Sending ${file.name} …`;
  await send(`photos?${new URLSearchParams({ member: member.value })}`, { body: file }, `${file.name}: `);
}

/* Returns whether there is a caption. The photo is not sent, whatever happens. */
async function captionHere(file) {
  byId("progress").textContent = `Looking at ${file.name} …`;
  try {
    const photo = await classify(file);
    const text = photo.noun ? `A photo of ${photo.noun}` : "A photo";
    add({ sent: new Date().toISOString(), member: member.value, text, photo });
    return true;
  } catch (error) {
    complain(`${file.name}: ${error.message}`);
    return false;
  }
}

/* A button that sends photos which have no caption on this device, if the person says so. */
function offer(files) {
  const what = files.length > 1 ? `these ${files.length} photos` : "it";
  const button = make("button", { type: "button", class: "offer" }, `Send ${what} to the server`);
  button.addEventListener("click", async () => {
    complain("");
    byId("text").focus(); // the button is gone
    for (const file of files) await upload(file);
    byId("progress").textContent = "";
  });
  return button;
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

member.value = remembered("member") || `Guest ${100 + Math.floor(900 * Math.random())}`;
let known = member.value;
member.addEventListener("change", () => {
  member.value = member.value.trim() || known;
  if (member.value === known) return;
  known = member.value;
  remember("member", known);
  listen();
});
listen();
