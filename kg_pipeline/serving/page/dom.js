// Elements from plain values. Text only ever becomes text nodes: nothing here, or on the page, parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element. `props`: `class`, `on…` (a listener), `dataset`, DOM properties by name, anything with `-` an attribute. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(node.dataset, value);
    else if (name.includes("-") || name === "role" || name === "list" || name === "for") node.setAttribute(name, String(value));
    else node[name] = value;
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/** A path that may be broken after its slashes and underscores, and reads left to right whatever it holds. */
export function path(text) {
  const parts = String(text ?? "").split(/(?<=[/_])/);
  return el("bdi", { class: "path", dir: "ltr" }, ...parts.flatMap((part, at) => (at ? [document.createElement("wbr"), part] : [part])));
}

/** A share from 0 to 1 as a small bar; the number stands beside it, so it says nothing to a screen reader. */
export function meter(share) {
  const width = Math.max(0, Math.min(1, share ?? 0)) * 100;
  return svg("svg", { class: "meter", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { width: 100, height: 8, class: "track" }), svg("rect", { width, height: 8, class: "level" }));
}

export const score = (value) => (value === null || value === undefined ? "–" : value.toFixed(1));
export const share = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));
export const signed = (value, digits = 1) => (value === null || value === undefined ? "–" : (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits));

/** Calls `work` once, `milliseconds` after the last call. */
export function later(work, milliseconds) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), milliseconds);
  };
}
