"use strict";

const byId = (id) => document.getElementById(id);
const findings = document.body.dataset.findings;
const classNames = [...byId("classes").options].map((option) => option.value);
const DECISIONS = ["keep", "same", "not_same", "leave_out"];
const SMALL_PIXELS = 96;
const SHORTCUTS = 9;

/* What a reload must not lose; what was decided is on the server. */
const kept = (name, otherwise) => JSON.parse(sessionStorage.getItem(name) || JSON.stringify(otherwise));
const keep = (name, value) => sessionStorage.setItem(name, JSON.stringify(value));
const person = kept("person", `${Date.now()}-${Math.random()}`);
keep("person", person);
if (kept("findings", "") !== findings) {
  keep("findings", findings);
  keep("seen", []);
  keep("decided", []);
}

let item = null; // the finding on the page
let picture = 0; // which of its photos is chosen
let busy = false;

/* An element with attributes and children; text is only ever text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/* The server. */

function complain(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = !text;
}

async function ask(address, body) {
  const options = body && {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ findings, ...body }),
  };
  let answer;
  try {
    answer = await fetch(address, options);
  } catch {
    throw new Error("Nothing was noted: the server cannot be reached. Start it again; what was decided is kept.");
  }
  const said = await answer.json().catch(() => ({ error: `The server answered ${answer.status}.` }));
  if (!answer.ok) throw new Error(said.error);
  return said;
}

/* One thing at a time: a key that is held down decides once. */
async function alone(work) {
  if (busy) return;
  busy = true;
  try {
    complain("");
    await work();
  } catch (error) {
    complain(error.message);
  } finally {
    busy = false;
  }
}

/* What is shown. */

function photo(each, index) {
  const image = make("img", { src: each.picture, alt: each.label ? `${each.file}, labeled ${each.label}` : each.file });
  image.addEventListener("load", () => {
    image.classList.toggle("small", Math.max(image.naturalWidth, image.naturalHeight) <= SMALL_PIXELS);
  });
  image.addEventListener("error", () => image.replaceWith("This photo cannot be shown."));
  const button = make("button", { type: "button", "aria-pressed": index === picture && item.photos.length > 1 }, image);
  button.addEventListener("click", () => choose(index));
  const caption = make("figcaption", {}, ...(each.label ? [make("b", {}, each.label), ` in ${each.split}`] : []));
  if (each.decision) {
    const said = { keep: "kept", leave_out: "left out" }[each.decision] || `→ ${each.new_label}`;
    caption.append(make("span", { class: "decision" }, ` ${said}`));
  }
  caption.append(make("span", { class: "file" }, each.file));
  return make("figure", {}, button, caption);
}

function choose(index) {
  picture = index;
  show(item, index);
}

function shortcuts() {
  const own = item.photos[picture].label;
  const wanted = [item.better_label, ...item.photos.map((each) => each.label), ...kept("recent", []), ...classNames];
  return [...new Set(wanted)].filter((name) => name && name !== own).slice(0, SHORTCUTS);
}

function showLabels() {
  const buttons = shortcuts().map((name, index) => {
    const button = make("button", { type: "button", class: "button" }, name, make("kbd", {}, String(index + 1)));
    button.classList.toggle("better", name === item.better_label);
    button.addEventListener("click", () => decide("label", name));
    return button;
  });
  byId("labels").replaceChildren(...buttons);
}

function show(next, chosen = 0) {
  item = next;
  picture = item.photos[chosen] ? chosen : 0;
  byId("empty").hidden = true;
  for (const id of ["photos", "other"]) byId(id).hidden = false;
  const better = item.better_label ? ["; ", make("b", {}, item.better_label), " fits better"] : [];
  const said = { same: "; decided: the same", not_same: "; decided: not the same" }[item.said] || "";
  const sure = make("span", { class: "sure" }, ` (${Math.round(100 * item.score)} % sure)`);
  byId("what").replaceChildren(make("b", {}, item.kind_name), `: ${item.reason}`, ...better, sure, said);
  byId("photos").classList.toggle("several", item.photos.length > 1);
  byId("photos").replaceChildren(...item.photos.map(photo));
  for (const name of DECISIONS) byId(name).hidden = !item.decisions.includes(name);
  showLabels();
  const seen = kept("seen", []);
  if (seen.at(-1) !== item.number) keep("seen", [...seen.slice(-999), item.number]);
}

function showEnd({ left, decided }) {
  item = null;
  for (const id of ["what", "photos", "labels"]) byId(id).replaceChildren();
  for (const id of ["photos", "other", ...DECISIONS]) byId(id).hidden = true;
  const which = byId("kind").value || byId("class").value ? " that fit" : "";
  byId("empty").textContent = left
    ? `The photos of the last ${left} findings are gone.`
    : decided
      ? `All ${decided} findings${which} are decided.\nThe next run takes the decisions up: python -m pipeline.run`
      : `There are no findings${which}.`;
  byId("empty").hidden = false;
}

async function load(after = "") {
  const chosen = { kind: byId("kind").value, label: byId("class").value, person, after };
  const found = await ask(`next?${new URLSearchParams(chosen)}`);
  byId("progress").textContent = `${found.left} left, ${found.decided} decided`;
  if (!found.items.length) return showEnd(found);
  const [first, second] = found.items;
  show(first);
  for (const each of second ? second.photos : []) new Image().src = each.picture;
}

/* What a person does. */

const decide = (decision, label = "") => alone(async () => {
  if (!item || !(item.decisions.includes(decision))) return;
  const answer = await ask("decisions", { item: item.number, decision, label, picture });
  keep("decided", [...kept("decided", []).slice(-999), item.number]);
  if (label) keep("recent", [label, ...kept("recent", []).filter((name) => name !== label)].slice(0, SHORTCUTS));
  byId("label").value = "";
  byId("label").blur();
  if (answer.decided) await load(item.number);
  else show(answer, picture);
});

const undo = () => alone(async () => {
  const decided = kept("decided", []);
  const number = decided.at(-1) ?? item?.number;
  if (number === undefined) throw new Error("There is nothing to take back.");
  keep("decided", decided.slice(0, -1));
  const answer = await ask("undo", { item: number });
  await load(number - 1); // shows it, unless an earlier decision about it counts again, or the filters leave it out
  if (item?.number !== number) show(answer);
});

const back = () => alone(async () => {
  const seen = kept("seen", []);
  if (item && seen.at(-1) === item.number) seen.pop();
  if (!seen.length) throw new Error("There is no finding before this one.");
  keep("seen", seen);
  show(await ask(`items/${seen.at(-1)}`));
});

const forward = () => alone(() => load(item ? item.number : ""));

const filtered = () => alone(() => load());

for (const name of DECISIONS) byId(name).addEventListener("click", () => decide(name));
byId("undo").addEventListener("click", undo);
byId("back").addEventListener("click", back);
byId("forward").addEventListener("click", forward);
byId("kind").addEventListener("change", filtered);
byId("class").addEventListener("change", filtered);
byId("other").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = byId("label").value.trim();
  if (name) decide("label", name);
  else byId("label").focus();
});

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.matches("input, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const { key } = event;
  if (key === "l" || key === "/") {
    event.preventDefault();
    byId("label").focus();
  } else if (/^[1-9]$/.test(key)) {
    const name = item && shortcuts()[Number(key) - 1];
    if (name) decide("label", name);
  } else if (item && (key === "ArrowUp" || key === "ArrowDown")) {
    event.preventDefault();
    const count = item.photos.length;
    choose((picture + (key === "ArrowUp" ? count - 1 : 1)) % count);
  } else {
    const button = document.querySelector(`button[data-key="${CSS.escape(key)}"]`);
    if (button && !button.hidden) button.click();
  }
});

filtered();
