/* What the page is made of: elements, and the messages of the chat. */

export const byId = (id) => document.getElementById(id);

/* An element with attributes and children; text is only ever text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function percent(fraction, decimals) {
  return `${(100 * fraction).toFixed(decimals)}\u202f%`;
}

export function avatar(name) {
  let hue = 0;
  for (const character of name) hue = (hue * 31 + character.codePointAt(0) * 47) % 360;
  const element = make("span", { class: "avatar", "aria-hidden": "true" }, [...name][0]);
  element.style.setProperty("--hue", hue);
  return element;
}

/* The storage of the browser, where it has one and lets the page use it. */
export function remembered(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch { /* it lasts as long as the page */ }
}

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

/* A small copy of the photo: from the server, or drawn here if the photo has not left this device. */
function picture(message) {
  const { photo } = message, alt = `Photo from ${message.member}`;
  if (!photo.thumbnail) {
    return make("img", { src: `thumbnails/${message.id}`, width: photo.width, height: photo.height, alt });
  }
  const canvas = make("canvas", { width: photo.width, height: photo.height, role: "img", "aria-label": alt });
  canvas.getContext("bitmaprenderer").transferFromImageBitmap(photo.thumbnail);
  return canvas;
}

function figure(message) {
  const { photo } = message, image = picture(message);
  if (Math.max(photo.width, photo.height) <= 96) image.classList.add("small");
  const element = make("figure", {}, image, make("figcaption", {}, message.text));
  if (photo.thumbnail) element.append(make("p", { class: "local" }, "On this device; nobody else sees it."));
  if (photo.probabilities.length) element.append(chart(photo));
  return element;
}

/* The list item of a message. */
export function item(message) {
  if (message.member === null) return make("li", { class: "notice" }, message.text);
  const said = message.photo ? figure(message) : make("div", { class: "said" }, message.text);
  return make("li", {}, avatar(message.member), who(message), said);
}
