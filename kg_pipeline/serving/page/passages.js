// Passages, each with the pictures that its document shows there and those that fit it.

import { link } from "./app.js";
import { el, path, score } from "./dom.js";
import { adds, confidence, facts, frame, heading, place, quote, reason, verdictButtons, verdictTag } from "./parts.js";
import { pairKey, splitView } from "./split.js";
import { t } from "./words.js";

const STATUSES = ["illustrated", "gap", "kept", "not_kept", "accepted", "rejected"];

function row(each) {
  const passage = each.passage;
  return [
    frame(each.kept ? each.image_id : null, "", 160, "small"),
    el("span", { class: "text" }, el("span", { class: "title one" }, heading(passage) || passage.title || passage.document), path(passage.document),
      el("span", { class: "facts" }, el("span", { class: "score" }, score(each.score)), confidence(each.confidence), marks(each)),
      el("span", { class: "faint two" }, passage.text)),
  ];
}

const marks = (each) => [
  each.shown > 0 && el("span", { class: "tag" }, t("tag_shown", { count: each.shown })),
  each.shown === 0 && each.kept > 0 && el("span", { class: "tag unused" }, t("tag_gap")),
  each.accepted && el("span", { class: "tag accepted" }, t("accepted")),
  each.rejected && el("span", { class: "tag rejected" }, t("rejected")),
];

function details(found, judge, collection) {
  const kept = found.pairs.filter((pair) => pair.kept || pair.said);
  const rest = found.pairs.filter((pair) => !pair.kept && !pair.said);
  const shownHere = new Set(found.shown.map(({ image_id }) => image_id));
  const grid = (pairs) => el("ul", { class: "pairs wide" }, ...pairs.map((pair) => el("li", { class: "pair", dataset: { pair: pairKey(pair) } }, pairOf(pair, judge, collection, shownHere))));
  return el("article", {},
    el("header", { class: "subject text" },
      el("h2", {}, heading(found.passage) || found.passage.title || found.passage.document), place({ ...found.passage, headings: [] }), ...[quote(found.passage.text, 1200)].flat(),
      found.shown.length > 0 && el("div", {}, el("h3", {}, t("document_shows", { count: found.shown.length })),
        el("div", { class: "strip" }, ...found.shown.map((each) => el("a", { href: link("pictures", collection, { at: each.image_id }), title: each.path }, frame(each.image_id, each.alt || each.path, 160, "small")))))),
    el("h3", { class: "group" }, t("pictures_for_it", { count: kept.length })),
    kept.length ? grid(kept) : el("p", { class: "empty" }, t("none_kept")),
    rest.length > 0 && el("details", { class: "rest", open: !kept.length }, el("summary", {}, t("pairs_not_kept", { count: found.pair_count - kept.length })), grid(rest)));
}

function pairOf(pair, judge, collection, shownHere) {
  const name = pair.picture?.path ?? pair.image_id;
  return [
    el("a", { class: "whole", href: link("pictures", collection, { at: pair.image_id }) }, frame(pair.image_id, name, 480)),
    el("div", {},
      el("p", { class: "place" }, el("a", { href: link("pictures", collection, { at: pair.image_id }) }, path(name)), shownHere.has(pair.image_id) && [" ", el("span", { class: "tag" }, t("tag_here"))], pair.picture && !pair.picture.used && [" ", el("span", { class: "tag unused" }, t("tag_unused"))]),
      el("p", { class: "facts" }, ...facts(pair, "image_rank"), verdictTag(pair.said)),
      el("p", { class: "why" }, reason(pair)), adds(pair), el("p", {}, verdictButtons(pair, judge))),
  ];
}

export const { show, key, keys, leave } = splitView({ kind: "passages", id: "chunk_id", statuses: STATUSES, row, details });
