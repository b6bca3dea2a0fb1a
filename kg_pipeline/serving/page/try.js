// A query tried on pictures of a folder or on uploads: scored a few at a time, sorted as the scores come in.

import * as api from "./api.js";
import { go, link } from "./app.js";
import { el, path, score, share, signed, svg } from "./dom.js";
import { failure, confidence } from "./parts.js";
import { t } from "./words.js";

const EXAMPLES = ["服务器机柜内红色报警灯亮起", "蓝色 control panel with 'RUN' button lit", "tighten the M6 bolt with a torque wrench"];
/** Pictures of the first request; later ones are as large as fits into about two seconds. */
const FIRST = 4;
const LARGEST = 32;
const SECONDS = 2;
/** Bytes of one upload: a part of what the server takes. */
const UPLOAD_BYTES = 24_000_000;

/** `Score: 6.8 — rank 2 of 3, 2.6 points below the first; why`: rank and gap are those of a request, not of all. */
const OF_REQUEST = /^Score: \S+ — (?:(?:rank \d+ of \d+|the only picture|\d+ 张图片中排第 \d+|只有一张图片)[^;；]*[;；]\s*)?/;

let view = null; // { folder, files, source, results, running, … }

export const keys = [["Ctrl Enter", "key_score"], ["j k", "key_next_previous"], ["x", "key_cancel"]];

export async function show(main, { params }, isLatest) {
  if (!view) {
    view = { source: params.source === "upload" ? "upload" : "folder", files: [], folder: null, results: [], scored: 0, total: 0, running: null, urls: [] };
    draw(main, params);
    api.get("models").then(tellScorer, () => {});
  }
  if (view.source === "folder" && (!view.folder || view.folder.path !== (params.folder ?? "") || view.deep !== Boolean(params.deep))) {
    try {
      const folder = await api.get("folders", { path: params.folder, deep: params.deep ? "true" : "" });
      if (!isLatest()) return;
      Object.assign(view, { folder, deep: Boolean(params.deep) });
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      view.sourceBox.replaceChildren(failure(error), el("p", {}, el("a", { href: link("try", "") }, t("folder_top"))));
      return;
    }
    drawSource();
    // An address with a query is an answer that somebody sends: it is scored again.
    if (params.query && view.folder.pictures.length && !view.running && !view.results.length) run();
  }
}

export function leave() {
  view?.running?.abort();
  view?.urls.forEach((url) => URL.revokeObjectURL(url));
  view = null;
}

export function key(event) {
  if (event.key === "x" && view?.running) return view.running.abort(), true;
  const step = { j: 1, k: -1 }[event.key];
  const cards = [...(view?.grid.querySelectorAll("li") ?? [])];
  if (!step || !cards.length) return false;
  const at = cards.indexOf(document.activeElement);
  cards[Math.max(0, Math.min(cards.length - 1, at < 0 ? 0 : at + step))].focus();
  return true;
}

// --- what to score

function draw(main, params) {
  const query = el("textarea", { id: "query", rows: 3, value: params.query ?? "", maxLength: 20000, placeholder: t("query_hint"), onkeydown: (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
  } });
  query.value = params.query ?? "";
  const tab = (name) => el("button", { type: "button", "aria-pressed": String(view.source === name), onclick: (event) => {
    view.source = name;
    for (const each of event.target.parentElement.children) each.setAttribute("aria-pressed", String(each === event.target));
    if (name === "folder") view.folder = null;
    go({ source: name === "upload" ? "upload" : "" }, true);
    drawSource();
  } }, t(`source_${name}`));
  Object.assign(view, {
    query,
    sourceBox: el("div", { class: "source" }),
    start: el("button", { type: "button", class: "primary", id: "score", onclick: run }, t("score_now"), el("kbd", { "aria-hidden": "true" }, "Ctrl ⏎")),
    status: el("div", { class: "progress" }),
    note: el("div", {}),
    grid: el("ol", { class: "grid", "aria-label": t("results") }),
  });
  main.replaceChildren(
    el("section", { class: "ask", "aria-label": t("query") },
      el("h1", {}, t("nav_try")), el("p", { class: "lead" }, t("try_lead")),
      el("label", { class: "field tall", for: "query" }, el("span", {}, t("query"))), query,
      el("p", { class: "examples" }, el("span", { class: "faint" }, t("for_example")), ...EXAMPLES.map((text) => el("button", { type: "button", class: "link", lang: /[\u4e00-\u9fff]/.test(text) ? "zh-Hans" : "en", onclick: () => { query.value = text; query.focus(); } }, text))),
      el("div", { class: "chips", role: "group", "aria-label": t("pictures_from") }, tab("folder"), tab("upload")), view.sourceBox,
      el("p", { class: "actions" }, view.start)),
    el("section", { class: "answers", "aria-label": t("results") }, view.note, view.status, view.grid));
  drawSource();
  drawStatus();
}

function drawSource() {
  if (view.source === "upload") return drawUpload();
  const folder = view.folder;
  if (!folder) return view.sourceBox.replaceChildren(el("p", { class: "faint" }, t("loading")));
  const entry = (name, target, up = false) => el("li", {}, el("a", { href: link("try", "", { ...currentParams(), folder: target, query: "" }) }, el("span", { "aria-hidden": "true", class: "glyph" }, up ? "↑" : "▸"), up ? t("folder_up") : path(name)));
  const deep = el("input", { type: "checkbox", checked: Boolean(view.deep), onchange: () => go({ deep: deep.checked ? "1" : "", query: "" }, true) });
  view.sourceBox.replaceChildren(
    el("p", { class: "where" }, path(folder.path || t("folder_top")), " ", el("span", { class: "faint" }, t("n_pictures", { count: folder.pictures.length }), folder.complete ? "" : "+")),
    el("ul", { class: "folders" }, folder.parent !== null && entry("", folder.parent, true), ...folder.folders.map(({ name, path: target }) => entry(name, target))),
    el("label", { class: "check" }, deep, t("folder_deep")));
  drawStatus();
}

function drawUpload() {
  const take = (files) => {
    view.files = [...view.files, ...[...files].filter((file) => file.type.startsWith("image/") || /\.(png|jpe?g|gif|webp|bmp|tiff?|svg)$/i.test(file.name))];
    drawUpload();
    drawStatus();
  };
  const input = el("input", { type: "file", multiple: true, accept: "image/*", id: "files", class: "hidden", onchange: () => take(input.files) });
  const zone = el("label", { class: "drop", for: "files" }, el("b", {}, t("choose_files")), el("span", { class: "faint" }, t("or_drop")));
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => { event.preventDefault(); zone.classList.remove("over"); take(event.dataTransfer.files); });
  view.sourceBox.replaceChildren(input, zone, view.files.length > 0 && el("p", { class: "where" }, t("n_chosen", { count: view.files.length }), " ", el("button", { type: "button", class: "link", onclick: () => { view.files = []; drawUpload(); drawStatus(); } }, t("clear"))) || "");
}

const currentParams = () => Object.fromEntries(new URLSearchParams(location.hash.split("?")[1] ?? ""));
const chosen = () => (view.source === "upload" ? view.files.map((file) => ({ name: file.name, file })) : (view.folder?.pictures ?? []).map(({ name, path: target }) => ({ name, path: target })));

function tellScorer({ models }) {
  const scorer = models.find(({ direction }) => direction === "text-to-image");
  if (!view || !scorer) return;
  view.note.replaceChildren(scorer.looks_at_pixels ? el("p", { class: "faint scorer" }, t("scored_by", { scorer: scorer.scorer })) : el("div", { class: "banner" }, el("strong", {}, t("by_words_only")), el("p", {}, t("by_words_only_hint"))));
}

// --- scoring

async function run() {
  const query = view.query.value.trim();
  const pictures = chosen();
  if (!query) return view.query.focus();
  if (!pictures.length || view.running) return;
  view.running = new AbortController();
  Object.assign(view, { results: [], scored: 0, total: pictures.length, error: null, ended: null });
  view.urls.forEach((url) => URL.revokeObjectURL(url));
  view.urls = [];
  if (view.source === "folder") history.replaceState(null, "", link("try", "", { ...currentParams(), query }));
  drawResults();
  const mine = view;
  try {
    await scoreAll(mine, query, pictures);
    mine.ended = "done";
  } catch (error) {
    if (error.name === "AbortError") mine.ended = "cancelled";
    else if (error instanceof api.ApiError) mine.error = error;
    else throw error;
  } finally {
    mine.running = null;
    if (mine === view) drawResults();
  }
}

async function scoreAll(mine, query, pictures) {
  const { signal } = mine.running;
  let size = FIRST;
  for (let at = 0; at < pictures.length; ) {
    const part = nextPart(pictures, at, size);
    const started = performance.now();
    const answer = await scorePart(query, part, signal);
    const seconds = (performance.now() - started) / 1000;
    const byName = new Map(part.map((picture) => [picture.path ?? picture.name, picture]));
    for (const result of answer.results) mine.results.push({ ...result, picture: byName.get(result.image_path) });
    at += part.length;
    mine.scored = at;
    size = Math.max(1, Math.min(LARGEST, Math.round((part.length * SECONDS) / Math.max(seconds, 0.05)), 2 * size));
    if (mine === view) drawResults();
  }
}

/** The next pictures: at most `size`, not too many bytes, no name twice (an answer names uploads by their names). */
function nextPart(pictures, at, size) {
  const part = [];
  const names = new Set();
  let bytes = 0;
  for (const picture of pictures.slice(at, at + size)) {
    bytes += picture.file?.size ?? 0;
    const name = picture.path ?? picture.name;
    if (part.length && (names.has(name) || bytes > UPLOAD_BYTES)) break;
    names.add(name);
    part.push(picture);
  }
  return part;
}

async function scorePart(query, part, signal) {
  const body = view.source === "upload" ? new FormData() : { query, image_paths: part.map((picture) => picture.path) };
  if (body instanceof FormData) {
    body.append("query", query);
    for (const picture of part) body.append("files", picture.file, picture.name);
  }
  for (;;) {
    try {
      return await api.send("POST", "rerank", body, signal);
    } catch (error) {
      if (error.status !== 429) throw error;
      await new Promise((resolve, reject) => {
        const timer = setTimeout(resolve, 1000 * (error.retryAfter ?? 1));
        signal.addEventListener("abort", () => { clearTimeout(timer); reject(new DOMException("", "AbortError")); }, { once: true });
      });
    }
  }
}

// --- what came out

const best = (one, other) => (other.score ?? -1) - (one.score ?? -1) || (other.log_odds ?? -1e9) - (one.log_odds ?? -1e9);

function drawStatus() {
  view.start.disabled = Boolean(view.running) || !chosen().length;
  if (!view.total) {
    view.status.replaceChildren();
    if (!view.results.length) view.grid.replaceChildren(el("li", { class: "blank" }, el("p", {}, t("try_blank"))));
    return;
  }
  const words = view.ended === "done" ? t("scored_all", { count: view.scored }) : view.ended === "cancelled" ? t("scored_cancelled", { done: view.scored, all: view.total }) : t("scored_of", { done: view.scored, all: view.total });
  view.status.replaceChildren(
    el("span", { role: "status" }, el("b", {}, words)),
    svg("svg", { viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { width: 100, height: 4, class: "track" }), svg("rect", { width: (100 * view.scored) / view.total, height: 4, class: "level" })),
    view.running ? el("button", { type: "button", id: "cancel", onclick: () => view.running?.abort() }, t("cancel"), el("kbd", { "aria-hidden": "true" }, "x")) : "");
}

function drawResults() {
  drawStatus();
  const sorted = [...view.results].sort(best);
  const focused = document.activeElement?.dataset?.name;
  view.grid.replaceChildren(...sorted.map((result, place) => card(result, place, sorted[place + 1])));
  if (focused) view.grid.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus();
  if (view.error) view.grid.before(failure(view.error));
  else view.grid.parentElement.querySelector(".banner.bad")?.remove();
}

function card(result, place, next) {
  const scored = result.score !== null;
  const gap = scored && next?.score !== null && next?.score !== undefined ? result.score - next.score : null;
  const name = result.picture?.name ?? result.image_path;
  return el("li", { class: place === 0 && scored ? "best" : "", tabIndex: -1, dataset: { name: result.image_path, score: scored ? String(result.score) : "" } },
    preview(result, name),
    el("div", { class: "caption" },
      el("p", { class: "facts" }, el("span", { class: "rank" }, scored ? String(place + 1) : "–"), el("span", { class: "score", title: t("score_hint") }, score(result.score)),
        gap !== null && el("span", { class: "gap", title: t("gap_hint") }, "Δ ", el("b", {}, signed(gap)))),
      scored && el("p", { class: "facts" }, confidence(result.confidence)),
      path(name),
      el("p", { class: "why" }, result.error ? t("unscored", { why: result.error }) : (result.raw_output ?? "").replace(OF_REQUEST, ""))));
}

/** Of an upload its own bytes; of a folder what the server makes small. */
function preview(result, name) {
  const image = el("img", { alt: name, loading: "lazy", decoding: "async" });
  const box = el("span", { class: "frame large" }, image, el("span", { class: "none" }, t("no_preview")));
  if (result.picture?.file) {
    result.picture.url ??= URL.createObjectURL(result.picture.file);
    view.urls.push(result.picture.url);
    image.addEventListener("error", () => box.classList.add("failed"), { once: true });
    image.src = result.picture.url;
  } else api.showPicture(image, "folders/thumbnail", { path: result.image_path, side: 480 });
  return box;
}
