// A list with filters on one side, what is chosen in it on the other: for pictures and for passages.

import * as api from "./api.js";
import { go, judge, link, say } from "./app.js";
import { el, later } from "./dom.js";
import { choice, confidenceRange, failure, finding, pager, searchBox } from "./parts.js";
import { t } from "./words.js";

const PAGE = 50;
const FILTERS = ["search", "status", "reason", "min_confidence", "max_confidence", "order", "offset"];

/**
 * A view of `kind` (pictures, passages). `id`: the name of the rows' id; `row(row)`: what stands in the list;
 * `details(found, judge, collection)`: what stands beside it; `statuses`, `findings`: what one may filter by.
 */
export function splitView({ kind, id, statuses, row, details }) {
  let drawn = null; // { collection, query, rows, list, side, found }

  async function show(main, { collection, params }, isLatest) {
    if (!drawn) {
      const list = el("div", { class: "rows" });
      const side = el("section", { class: "side", "aria-label": t("details"), tabIndex: -1 });
      const tools = el("div", { class: "tools" });
      drawn = { collection, query: null, rows: [], list, side, tools, chosen: null };
      main.replaceChildren(el("h1", { class: "hidden" }, t(`nav_${kind}`)), el("div", { class: "split" }, el("section", { class: "list", "aria-label": t(`nav_${kind}`) }, tools, list), side));
      drawTools(params);
    }
    const query = JSON.stringify(FILTERS.map((name) => params[name] ?? ""));
    if (drawn.query !== query) {
      const asked = Object.fromEntries(FILTERS.map((name) => [name, params[name]]));
      const found = await api.get(`collections/${encodeURIComponent(collection)}/${kind}`, { ...asked, limit: PAGE });
      if (!isLatest()) return;
      Object.assign(drawn, { query, rows: found.rows, total: found.total, offset: found.offset });
      drawList(collection, params);
      drawTools(params);
    }
    const wide = matchMedia("(min-width: 900px)").matches;
    const chosen = params.at ?? (wide ? drawn.rows[0]?.[id] : undefined);
    main.classList.toggle("chosen", Boolean(params.at));
    mark(chosen);
    if (!chosen) {
      drawn.side.replaceChildren(el("p", { class: "empty" }, drawn.rows.length ? t("choose_one") : t("nothing_found_hint")));
      drawn.chosen = drawn.found = null;
    } else if (drawn.chosen !== chosen) await drawDetails(collection, chosen);
  }

  function drawTools(params) {
    const box = drawn.tools.querySelector("input[type=search]");
    if (box) {
      // A box somebody types in is left alone.
      if (document.activeElement !== box) box.value = params.search ?? "";
      return;
    }
    const change = (changes) => go({ ...changes, offset: "", at: "" }, true);
    const typed = later((search) => change({ search }), 250);
    const all = [["", t("all")]];
    const some = ["status", "reason", "min_confidence", "max_confidence"].some((name) => params[name]);
    drawn.tools.replaceChildren(
      searchBox(params.search, typed),
      el("details", { class: "filters", open: some || matchMedia("(min-width: 900px)").matches }, el("summary", {}, t("filters")),
        el("div", { class: "fields" },
          choice(t("status"), params.status, [...all, ...statuses.map((name) => [name, t(`${kind}_${name}`)])], (status) => change({ status })),
          choice(t("reason"), params.reason, [...all, ...FINDINGS.map((name) => [name, finding(name)])], (reason) => change({ reason })),
          confidenceRange(params.min_confidence, params.max_confidence, (low, high) => change({ min_confidence: low, max_confidence: high })),
          choice(t("order"), params.order, ["strongest", "weakest", "path"].map((name) => [name === "strongest" ? "" : name, t(`order_${name}`)]), (order) => change({ order })))));
  }

  function drawList(collection, params) {
    const items = drawn.rows.map((each) => el("li", {}, el("a", { class: "row", href: link(kind, collection, { ...params, at: each[id] }), dataset: { id: each[id] } }, row(each))));
    drawn.list.replaceChildren(el("ul", {}, ...items), pager(drawn.total, drawn.offset, PAGE, (offset) => go({ offset, at: "" })));
    drawn.list.scrollTop = 0;
  }

  function mark(chosen) {
    for (const anchor of drawn.list.querySelectorAll("a.row")) {
      if (anchor.dataset.id === chosen) anchor.setAttribute("aria-current", "true");
      else anchor.removeAttribute("aria-current");
    }
    drawn.list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }

  async function drawDetails(collection, chosen, keepPlace = false) {
    const mine = drawn;
    const asked = (mine.asked = {});
    // What still stands there is another's: no key may judge it.
    if (mine.chosen !== chosen) mine.found = null;
    mine.chosen = chosen;
    // A later search may have chosen the same: who asked does not count.
    const isWanted = () => drawn === mine && mine.asked === asked && mine.chosen === chosen;
    let found;
    try {
      found = await api.get(`collections/${encodeURIComponent(collection)}/${kind}/${encodeURIComponent(chosen)}`);
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      if (isWanted()) drawn.side.replaceChildren(back(collection), failure(error));
      return;
    }
    if (!isWanted()) return;
    drawn.found = found;
    const focused = document.activeElement?.closest?.(".pair")?.dataset.pair;
    drawn.side.replaceChildren(back(collection), details(found, (pair, verdict) => say_(collection, chosen, pair, verdict), collection));
    if (!keepPlace) drawn.side.scrollTop = 0;
    else if (focused) drawn.side.querySelector(`[data-pair="${CSS.escape(focused)}"] button`)?.focus();
  }

  const back = (collection) => {
    const { params } = { params: Object.fromEntries(new URLSearchParams(location.hash.split("?")[1] ?? "")) };
    return el("p", { class: "back" }, el("a", { href: link(kind, collection, { ...params, at: "" }) }, t("back_to_list")));
  };

  async function say_(collection, chosen, pair, verdict) {
    await giveVerdict(collection, pair, verdict);
    if (drawn?.chosen === chosen) await drawDetails(collection, chosen, true);
  }

  function key(event) {
    if (!drawn) return false;
    const at = drawn.rows.findIndex((each) => each[id] === drawn.chosen);
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    if (step && !(event.key.startsWith("Arrow") && event.target !== document.body && !event.target.closest(".list"))) {
      const next = drawn.rows[at < 0 ? 0 : at + step];
      if (next) {
        go({ at: next[id] }, true);
        drawn.list.querySelector(`a[data-id="${CSS.escape(next[id])}"]`)?.focus({ preventScroll: true });
      }
      return true;
    }
    if (event.key === "n" && drawn.offset + PAGE < drawn.total) return go({ offset: drawn.offset + PAGE, at: "" }), true;
    if (event.key === "p" && drawn.offset > 0) return go({ offset: Math.max(0, drawn.offset - PAGE), at: "" }), true;
    const pairs = drawn.found?.pairs ?? [];
    const focused = document.activeElement?.closest?.(".pair")?.dataset.pair;
    const pair = pairs.find((each) => pairKey(each) === focused) ?? pairs[0];
    const verdict = { a: "accepted", r: "rejected", u: null }[event.key];
    if (verdict === undefined || !pair) return false;
    if (verdict || pair.said) say_(drawn.collection, drawn.chosen, pair, verdict).catch((error) => say(error.message));
    return true;
  }

  return { show, key, leave: () => (drawn = null), keys: [["j k", "key_next_previous"], ["n p", "key_pages"], ["a", "key_accept_first"], ["r", "key_reject_first"], ["u", "key_undo_first"]] };
}

export const pairKey = (pair) => `${pair.image_id}/${pair.text_id}`;

let written = Promise.resolve();
let unwritten = 0;

/** Writes a verdict, or takes it back; says what was done. In turn: an undo must not overtake what it undoes. */
export async function giveVerdict(collection, pair, verdict) {
  const mine = written.then(() => write(collection, pair, verdict));
  unwritten += 1;
  written = mine.catch(() => {}).then(() => (unwritten -= 1));
  return mine;
}

window.addEventListener("beforeunload", (event) => unwritten && event.preventDefault());

async function write(collection, pair, verdict) {
  const path = `collections/${encodeURIComponent(collection)}/verdicts`;
  const named = { image_id: pair.image_id, text_id: pair.text_id };
  if (verdict) await api.send("POST", path, { ...named, verdict, by: judge() });
  else await api.send("DELETE", `${path}/${encodeURIComponent(pair.image_id)}/${encodeURIComponent(pair.text_id)}`);
  say(t(verdict ? `said_${verdict}` : "said_undone"));
}

// What kg_pipeline.evidence.reasons can say, in its order; a test holds both together.
export const FINDINGS = [
  "words of the file name stand in the passage",
  "the file name matches the heading",
  "words read in the picture stand in the heading",
  "words read in the picture stand in the passage",
  "words of name or picture stand in the passage in its language",
  "whole lines read in the picture stand in the passage",
  "labels quoted in the passage are read in the picture",
  "the passage points to a picture",
  "the file name matches the document's title",
  "the folder name matches the document's title",
  "words of the file name stand in the document",
  "words read in the picture stand in the document",
  "it has the language of the document",
  "the words of the picture mean much the same",
  "like pictures are used here",
  "the document uses other pictures of the folder",
  "it lies there in the document's own file",
  "the reranker finds it in the pixels",
  "nothing in particular speaks for it",
];
