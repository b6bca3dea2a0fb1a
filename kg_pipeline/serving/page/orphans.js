// The orphan report as a stack of work: one picture and its suggestion at a time, a key each for yes and no.

import * as api from "./api.js";
import { go, link, say } from "./app.js";
import { el, later, path, svg } from "./dom.js";
import { adds, choice, confidenceRange, facts, frame, place, quote, reason, searchBox, verdictTag } from "./parts.js";
import { giveVerdict } from "./split.js";
import { t } from "./words.js";

const REASONS = ["unreferenced_matched", "unmatched", "duplicate", "decorative", "unreadable"];
const STATUSES = ["open", "judged", "accepted", "rejected"];
const FILTERS = ["search", "reason", "status", "min_confidence", "max_confidence"];
/** Rows of the queue that are fetched at a time. */
const BATCH = 40;

let work = null; // { collection, query, total, counts, rows: Map place → row, undo: [], box… }

export const keys = [["a", "key_accept"], ["r", "key_reject"], ["s →", "key_skip"], ["←", "key_back"], ["u", "key_undo"]];

export async function show(main, { collection, params }, isLatest) {
  const query = JSON.stringify(FILTERS.map((name) => params[name] ?? ""));
  if (!work || work.query !== query) {
    const undo = work?.undo ?? [];
    const tools = work?.tools;
    work = { collection, query, params, rows: new Map(), total: 0, counts: null, undo, tools };
    await fetchAround(Number(params.place ?? 0));
    if (!isLatest()) return;
    if (!tools) {
      work.tools = el("div", { class: "tools" });
      work.progress = el("div", { class: "progress" });
      work.notice = el("div", {});
      work.stage = el("section", { class: "stage", "aria-label": t("nav_orphans"), tabIndex: -1 });
      work.strip = el("nav", { class: "strip queue", "aria-label": t("queue") });
      main.replaceChildren(el("div", { class: "top" }, el("h1", {}, t("nav_orphans")), work.progress), work.notice, work.tools, work.stage, work.strip);
    } else Object.assign(work, { progress: main.querySelector(".progress"), stage: main.querySelector(".stage"), strip: main.querySelector(".queue") });
    drawTools(params);
    work.notice?.replaceChildren(work.incomplete ? el("p", { class: "banner warn" }, t("incomplete", { count: work.incomplete })) : "");
  }
  work.params = params;
  const at = Math.min(Number(params.place ?? 0) || 0, Math.max(0, work.total - 1));
  if (work.total && !work.rows.has(at)) await fetchAround(at);
  if (!isLatest()) return;
  draw(at);
}

export function leave() {
  work = null;
}

async function fetchAround(at) {
  const offset = Math.max(0, Math.floor(at / BATCH) * BATCH);
  // What was judged here has left the list of open ones, and what stands behind it has moved up.
  const gone = work.params.status === "open" ? [...work.rows].filter(([place, row]) => place < offset && row.verdict).length : 0;
  const filters = Object.fromEntries(FILTERS.map((name) => [name, work.params[name]]));
  const mine = work;
  const found = await api.get(`collections/${encodeURIComponent(work.collection)}/orphans`, { ...filters, offset: offset - gone, limit: BATCH });
  mine.total = found.total + gone;
  mine.incomplete = found.incomplete_count;
  mine.counts = found.counts;
  found.rows.forEach((row, step) => mine.rows.set(offset + step, row));
}

function drawTools(params) {
  const box = work.tools.querySelector("input[type=search]");
  const focused = box && document.activeElement === box;
  if (focused) return;
  const change = (changes) => go({ ...changes, place: "" }, true);
  const counts = work.counts.reasons;
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const chip = (name, words, count) => el("button", { type: "button", "aria-pressed": String((params.reason ?? "") === name), title: name ? t(`orphan_${name}`) : null, onclick: () => change({ reason: name }) }, words, " ", el("b", {}, String(count)));
  work.tools.replaceChildren(
    el("div", { class: "chips", role: "group", "aria-label": t("reason") }, chip("", t("all"), all), ...REASONS.filter((name) => counts[name]).map((name) => chip(name, t(`reason_${name}`), counts[name]))),
    choice(t("status"), params.status, [["", t("all")], ...STATUSES.map((name) => [name, t(`orphans_${name}`)])], (status) => change({ status })),
    confidenceRange(params.min_confidence, params.max_confidence, (low, high) => change({ min_confidence: low, max_confidence: high })),
    searchBox(params.search, later((search) => change({ search }), 250)));
}

function draw(at) {
  const { judged, decidable } = work.counts;
  const done = decidable ? judged / decidable : 1;
  work.progress.replaceChildren(
    el("span", { role: "status" }, el("b", {}, t("progress", { done: judged, all: decidable }))),
    svg("svg", { viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { width: 100, height: 4, class: "track" }), svg("rect", { width: 100 * done, height: 4, class: "level" })));
  const row = work.rows.get(at);
  work.at = at;
  if (!row) {
    const nothing = work.counts.all === 0;
    work.stage.replaceChildren(el("div", { class: "blank" }, el("h2", {}, t(nothing ? "no_orphans" : "nothing_found")), el("p", {}, t(nothing ? "no_orphans_hint" : "nothing_found_hint"))));
    work.strip.replaceChildren();
    return;
  }
  work.stage.replaceChildren(card(row, at));
  drawStrip(at);
  preload(at + 1);
}

function card(row, at) {
  const button = (name, words, key, action, extra = {}) => el("button", { type: "button", class: name, onclick: action, ...extra }, words, el("kbd", { "aria-hidden": "true" }, key));
  const pressed = (verdict) => ({ "aria-pressed": String(row.verdict === verdict) });
  const actions = row.decidable
    ? [button("primary accepted", t("accept"), "a", () => judgeNow("accepted"), pressed("accepted")), button("rejected", t("reject"), "r", () => judgeNow("rejected"), pressed("rejected"))]
    : [el("span", { class: "faint" }, t("nothing_to_decide"))];
  return el("article", { class: "orphan" },
    el("div", { class: "seen" },
      row.image_id ? el("a", { class: "whole", href: link("pictures", work.collection, { at: row.image_id }), title: t("open_picture") }, frame(row.image_id, row.path, 1600, "huge")) : frame(null, row.path, 480, "huge"),
      el("p", { class: "name" }, path(row.path))),
    el("div", { class: "wanted" },
      el("p", { class: "facts" }, el("span", { class: `tag ${row.reason}` }, t(`reason_${row.reason}`)), el("span", {}, t(`orphan_${row.reason}`)), row.verdict && verdictTag({ verdict: row.verdict, by: row.by })),
      row.error && el("p", { class: "why" }, row.error),
      row.passage && [el("h2", {}, t(row.reason === "unmatched" ? "nearest_passage" : "suggestion")), place(row.passage, link("passages", work.collection, { at: row.best_chunk_id })), ...[quote(row.passage.text)].flat()],
      row.pair && el("p", { class: "facts" }, ...facts(row.pair)),
      row.pair && el("p", { class: "why" }, reason(row.pair)),
      row.pair && adds(row.pair),
      row.shown.length > 0 && el("div", { class: "twin" }, el("span", { class: "faint" }, t("document_shows", { count: row.shown.length })), el("div", { class: "strip" }, ...row.shown.slice(0, 6).map((each) => frame(each.image_id, each.path, 160, "small")))),
      row.twin && el("div", { class: "twin" }, el("span", { class: "faint" }, t(row.duplicate_of ? "same_bytes" : "looks_like")), frame(row.twin.image_id, row.twin.path, 160, "small"), path(row.twin.path)),
      el("div", { class: "actions" }, ...actions,
        button("quiet", t("skip_one"), "→", () => step(1), { disabled: at + 1 >= work.total }), button("quiet", t("back_one"), "←", () => step(-1), { disabled: at === 0 }),
        button("quiet", t("undo"), "u", undo, { disabled: !work.undo.length && !row.verdict }),
        el("span", { class: "place-of faint" }, t("place_of", { at: at + 1, all: work.total })))));
}

function drawStrip(at) {
  const first = Math.max(0, at - 3);
  const shown = Array.from({ length: 12 }, (_, step) => first + step).filter((place) => work.rows.has(place));
  work.strip.replaceChildren(...shown.map((place) => {
    const row = work.rows.get(place);
    return el("a", { href: link("orphans", work.collection, { ...work.params, place }), class: row.verdict ?? "", "aria-current": place === at ? "true" : null, "aria-label": t("queue_item", { at: place + 1, path: row.path }) }, frame(row.image_id, "", 160, "small"));
  }));
}

function preload(at) {
  const next = work.rows.get(at);
  if (next?.image_id && !api.token()) new Image().src = `api/pictures/${next.image_id}/thumbnail?side=1600`;
  if (!next && at < work.total) fetchAround(at).catch(() => {});
}

function step(by) {
  const to = work.at + by;
  if (to >= 0 && to < work.total) go({ place: to }, true);
}

/** The next one is shown before the server has answered; a refusal brings the picture back, with the reason. */
async function judgeNow(verdict) {
  const at = work.at;
  const row = work.rows.get(at);
  if (!row?.decidable || row.verdict === verdict) return step(1);
  const before = { verdict: row.verdict, by: row.by };
  set(row, verdict);
  work.undo.push({ row, at, before });
  if (at + 1 < work.total) step(1);
  else draw(at);
  const mine = work;
  try {
    await giveVerdict(work.collection, { image_id: row.image_id, text_id: row.best_chunk_id }, verdict);
    if (mine === work && mine.counts.judged === mine.counts.decidable) say(t("all_judged"));
  } catch (error) {
    takeBack(row, before);
    mine.undo = mine.undo.filter((each) => each.row !== row);
    if (mine === work) go({ place: at }, true), draw(at);
    say(`${t("verdict_failed")} ${error.message}`);
  }
}

function set(row, verdict) {
  // Copies of one picture are one suggestion to one passage: they are judged together.
  for (const each of work.rows.values()) {
    if (each.image_id !== row.image_id || each.best_chunk_id !== row.best_chunk_id) continue;
    if (!each.verdict && verdict) work.counts.judged += 1;
    if (each.verdict && !verdict) work.counts.judged -= 1;
    each.verdict = verdict;
    each.by = verdict ? t("you") : null;
  }
}

function takeBack(row, before) {
  set(row, before.verdict);
  row.by = before.by;
}

async function undo() {
  const shown = work.rows.get(work.at);
  const last = work.undo.pop() ?? (shown?.verdict ? { row: shown, at: work.at, before: { verdict: null, by: null } } : null);
  if (!last) return;
  const now = last.row.verdict;
  takeBack(last.row, last.before);
  go({ place: last.at }, true);
  draw(last.at);
  try {
    await giveVerdict(work.collection, { image_id: last.row.image_id, text_id: last.row.best_chunk_id }, last.before.verdict);
  } catch (error) {
    takeBack(last.row, { verdict: now, by: null });
    draw(last.at);
    say(`${t("verdict_failed")} ${error.message}`);
  }
}

export function key(event) {
  if (!work?.total) return false;
  const action = { a: () => judgeNow("accepted"), r: () => judgeNow("rejected"), s: () => step(1), ArrowRight: () => step(1), ArrowLeft: () => step(-1), u: undo, z: undo }[event.key];
  if (!action) return false;
  action();
  return true;
}
