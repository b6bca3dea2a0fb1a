// The frame of the page: what the address asks for is shown; language, theme, token, keys.

import * as api from "./api.js";
import { el } from "./dom.js";
import { failure } from "./parts.js";
import { speak, spoken, t, wantedLanguage } from "./words.js";
import * as orphans from "./orphans.js";
import * as passages from "./passages.js";
import * as pictures from "./pictures.js";
import * as attempt from "./try.js";

const VIEWS = { try: attempt, pictures, passages, orphans };
const THEMES = ["auto", "light", "dark"];
const main = document.getElementById("main");
const bar = document.getElementById("bar");
const toast = document.getElementById("toast");
const store = { get: (name) => localStorage.getItem(`kg-pipeline.${name}`), set: (name, value) => localStorage.setItem(`kg-pipeline.${name}`, value) };

let collections = [];
let current = null;
/** Of several things asked for in a row only the last one is shown. */
let turn = 0;

// --- addresses: #/view/collection?name=value

export function route() {
  const [place, query = ""] = location.hash.slice(1).split("?");
  const [view = "", collection = ""] = place.split("/").filter(Boolean).map(decodeURIComponent);
  return { view: view in VIEWS ? view : "", collection, params: Object.fromEntries(new URLSearchParams(query)) };
}

export function link(view, collection, params = {}) {
  const kept = Object.entries(params).filter(([, value]) => value !== "" && value !== null && value !== undefined && value !== 0);
  const query = new URLSearchParams(kept.map(([name, value]) => [name, String(value)])).toString();
  return `#/${view}${collection ? `/${encodeURIComponent(collection)}` : ""}${query ? `?${query}` : ""}`;
}

/** Changes parameters of the address; `replace`: without a step to come back to. */
export function go(changes, replace = false) {
  const { view, collection, params } = route();
  const target = link(view, collection, { ...params, ...changes });
  if (target === location.hash) return;
  if (replace) {
    history.replaceState(null, "", target);
    show();
  } else location.hash = target;
}

async function show() {
  const mine = ++turn;
  let asked = route();
  if (!asked.view) asked = { view: collections.length ? "orphans" : "try", collection: "", params: {} };
  const known = collections.some(({ name }) => name === asked.collection);
  if (asked.view !== "try" && !known && !asked.collection) {
    const remembered = collections.find(({ name }) => name === store.get("collection"));
    asked.collection = (remembered ?? collections[0])?.name ?? "";
  }
  if (asked.collection && known) store.set("collection", asked.collection);
  if (location.hash !== link(asked.view, asked.collection, asked.params)) history.replaceState(null, "", link(asked.view, asked.collection, asked.params));
  const place = `${asked.view}/${asked.collection}`;
  if (current?.place !== place) {
    current?.view.leave?.();
    main.replaceChildren();
    main.className = asked.view;
    current = { place, view: VIEWS[asked.view] };
    drawBar(asked);
    document.title = `${t(`nav_${asked.view}`)}${asked.collection ? ` · ${asked.collection}` : ""} · kg-pipeline`;
    window.scrollTo(0, 0);
  }
  try {
    if (asked.view !== "try" && !asked.collection) main.replaceChildren(el("div", { class: "blank" }, el("h1", {}, t("no_collection")), el("p", {}, t("no_collection_hint")), el("code", {}, "kg-pipeline run --documents DIR")));
    else await current.view.show(main, asked, () => mine === turn);
  } catch (error) {
    if (error.name === "AbortError" || mine !== turn) return;
    if (!(error instanceof api.ApiError)) throw error;
    main.replaceChildren(failure(error));
    current = null;
  }
}

// --- the bar

function drawBar(asked) {
  const tab = (view, key) => el("a", { href: link(view, view === "try" ? "" : asked.collection || store.get("collection") || ""), "aria-current": asked.view === view ? "page" : null }, t(`nav_${view}`), el("kbd", { "aria-hidden": "true" }, key));
  const select = el("select", { "aria-label": t("collection"), onchange: () => (location.hash = link(asked.view, select.value)) },
    ...collections.map(({ name }) => el("option", { value: name, selected: name === asked.collection }, name)));
  const theme = store.get("theme") ?? "auto";
  const other = spoken() === "en" ? "zh" : "en";
  bar.replaceChildren(
    el("a", { class: "brand", href: "#/" }, el("img", { src: "page/icon.svg", alt: "", width: 20, height: 20 }), el("span", {}, "kg-pipeline")),
    el("nav", { "aria-label": t("views") }, tab("orphans", "1"), tab("pictures", "2"), tab("passages", "3"), tab("try", "4")),
    asked.view !== "try" && collections.length > 0 ? el("label", { class: "collection" }, el("span", { class: "hidden" }, t("collection")), select) : el("span", { class: "collection" }),
    el("span", { class: "switches" },
      el("button", { type: "button", class: "quiet", id: "language", lang: other === "zh" ? "zh-Hans" : "en", title: t("other_language"), onclick: () => changeLanguage(other) }, other === "zh" ? "中文" : "English"),
      el("button", { type: "button", class: "quiet", id: "theme", title: t("theme_hint"), onclick: changeTheme }, t(`theme_${theme}`)),
      el("button", { type: "button", class: "quiet", id: "help", title: t("help"), "aria-label": t("help"), onclick: help }, "?")));
  document.getElementById("skip").textContent = t("skip");
}

async function changeLanguage(language) {
  store.set("language", language);
  await speak(language);
  redraw("language");
}

function changeTheme() {
  const theme = THEMES[(THEMES.indexOf(store.get("theme") ?? "auto") + 1) % THEMES.length];
  store.set("theme", theme);
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  drawBar(route());
  document.getElementById("theme").focus();
  say(t("theme_now", { theme: t(`theme_${theme}`) }));
}

async function redraw(focused) {
  current?.view.leave?.();
  current = null;
  await show();
  document.getElementById(focused)?.focus();
}

/** A line at the edge of the page for some seconds, read out by screen readers. */
let toastTimer = 0;
export function say(words, action) {
  toast.replaceChildren(el("span", {}, words), action ?? "");
  toast.classList.add("on");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => toast.classList.remove("on"), 6000);
}

// --- dialogs

function openDialog(title, ...content) {
  const dialog = el("dialog", { "aria-label": title }, el("h2", {}, title), ...content);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

const KEYS_EVERYWHERE = [["1 2 3 4", "key_views"], ["/", "key_search"], ["?", "key_help"], ["Esc", "key_escape"]];

export function help() {
  if (document.querySelector("dialog")) return;
  const rows = (keys) => el("dl", { class: "keys" }, ...keys.flatMap(([key, words]) => [el("dt", {}, ...key.split(" ").map((one) => el("kbd", {}, one))), el("dd", {}, t(words))]));
  const off = el("input", { type: "checkbox", checked: store.get("keys") !== "off", onchange: () => store.set("keys", off.checked ? "on" : "off") });
  const name = el("input", { type: "text", value: store.get("name") ?? "", maxLength: 80, autocomplete: "name", onchange: () => store.set("name", name.value.trim()) });
  const dialog = openDialog(t("help"),
    el("h3", {}, t("keys_here")), rows(VIEWS[route().view || "orphans"].keys),
    el("h3", {}, t("keys_everywhere")), rows(KEYS_EVERYWHERE),
    el("h3", {}, t("settings")),
    el("label", { class: "check" }, off, t("keys_on")),
    el("label", { class: "field" }, el("span", {}, t("your_name")), name),
    api.token() && el("p", {}, el("button", { type: "button", onclick: () => { api.forgetToken(); location.reload(); } }, t("forget_token"))),
    el("p", { class: "actions" }, el("button", { type: "button", class: "primary", onclick: () => dialog.close() }, t("close"))));
}

/** The name under which verdicts are given; the server knows one when there is none. */
export const judge = () => store.get("name") || null;

api.onTokenNeeded((refused) => new Promise((resolve) => {
  let given = null;
  const box = el("input", { type: "password", required: true, autocomplete: "current-password", id: "token" });
  const remember = el("input", { type: "checkbox" });
  const form = el("form", { method: "dialog", onsubmit: () => (given = { token: box.value.trim(), remember: remember.checked }) },
    el("p", { class: refused ? "warn" : "" }, t(refused ? "token_wrong" : "token_needed")),
    el("label", { class: "field" }, el("span", {}, t("token")), box),
    el("label", { class: "check" }, remember, t("token_remember")),
    el("p", { class: "actions" }, el("button", { class: "primary" }, t("token_use"))));
  openDialog(t("token"), form).addEventListener("close", () => resolve(given));
}));

// --- keys

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog")) return;
  if (event.target.matches("input, textarea, select") || store.get("keys") === "off") return;
  const view = { 1: "orphans", 2: "pictures", 3: "passages", 4: "try" }[event.key];
  const box = main.querySelector("input[type=search], textarea");
  if (view) location.hash = link(view, view === "try" ? "" : route().collection || store.get("collection") || "");
  else if (event.key === "?") help();
  else if (event.key === "/" && box) box.focus();
  else if (!current?.view.key?.(event)) return;
  event.preventDefault();
});

document.getElementById("skip").addEventListener("click", () => main.focus());

async function start() {
  await speak(wantedLanguage());
  drawBar({ view: route().view, collection: "" });
  try {
    collections = (await api.get("collections")).collections;
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    main.replaceChildren(failure(error));
    return;
  }
  // Not before: a view needs the words and the collections.
  window.addEventListener("hashchange", show);
  await show();
}

start();
