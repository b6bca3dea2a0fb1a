// Pictures, each with the passages and concepts that it shows.

import * as api from "./api.js";
import { link } from "./app.js";
import { el, path, score } from "./dom.js";
import { adds, confidence, facts, frame, heading, place, quote, reason, verdictButtons, verdictTag } from "./parts.js";
import { pairKey, splitView } from "./split.js";
import { t } from "./words.js";

const STATUSES = ["used", "unused", "kept", "not_kept", "decorative", "accepted", "rejected"];

function row(picture) {
  return [
    frame(picture.image_id, "", 160, "small"),
    el("span", { class: "text" }, path(picture.path),
      el("span", { class: "facts" }, el("span", { class: "score" }, score(picture.score)), confidence(picture.confidence), marks(picture)),
      picture.passage && el("span", { class: "faint one" }, heading(picture.passage) || picture.passage.document)),
  ];
}

const marks = (picture) => [
  !picture.used && el("span", { class: "tag unused" }, t("tag_unused")),
  picture.role === "decorative" && el("span", { class: "tag" }, t("tag_decorative")),
  picture.accepted && el("span", { class: "tag accepted" }, t("accepted")),
  picture.rejected && el("span", { class: "tag rejected" }, t("rejected")),
];

function details(picture, judge, collection) {
  const kept = picture.pairs.filter((pair) => pair.kept || pair.said);
  const rest = picture.pairs.filter((pair) => !pair.kept && !pair.said);
  const shown = (pairs) => el("ul", { class: "pairs" }, ...pairs.map((pair) => el("li", { class: "pair", dataset: { pair: pairKey(pair) } }, pairOf(pair, judge, collection))));
  return el("article", {},
    el("header", { class: "subject" },
      el("a", { class: "whole", href: `api/pictures/${picture.image_id}/file`, target: "_blank", rel: "noopener", title: t("open_file"), onclick: (event) => open(event, picture) }, frame(picture.image_id, picture.path, 480, "large")),
      el("div", { class: "about" },
        el("h2", {}, path(picture.path)),
        el("p", { class: "facts" }, picture.width && el("span", {}, `${picture.width} × ${picture.height}`), picture.format && el("span", {}, picture.format), marks(picture)),
        picture.paths.length > 1 && el("p", { class: "note" }, t("also_at"), " ", ...picture.paths.filter((each) => each !== picture.path).flatMap((each) => [path(each), " "])),
        picture.uses.length > 0 && el("div", { class: "uses" }, el("h3", {}, t("shown_in")), el("ul", {}, ...picture.uses.map((use) => el("li", {}, el("a", { href: link("passages", collection, { at: use.chunk_id }) }, path(use.document_path), el("span", { class: "line" }, `:${use.line}`)), (use.caption || use.alt) && el("span", { class: "faint" }, ` ${use.caption || use.alt}`))))),
        picture.read.length > 0 && el("details", { class: "more" }, el("summary", {}, t("read_in_it", { count: picture.read.length })), el("p", { class: "read" }, picture.read.join("\n"))))),
    el("h3", { class: "group" }, t("pairs_kept", { count: kept.length })),
    kept.length ? shown(kept) : el("p", { class: "empty" }, t("none_kept")),
    rest.length > 0 && el("details", { class: "rest", open: !kept.length }, el("summary", {}, t("pairs_not_kept", { count: picture.pair_count - kept.length })), shown(rest)));
}

function open(event, picture) {
  if (!api.token()) return;
  event.preventDefault();
  api.saveFile(`pictures/${picture.image_id}/file`, picture.path.split("/").at(-1)).catch(() => {});
}

function pairOf(pair, judge, collection) {
  const words = pair.passage
    ? [place(pair.passage, link("passages", collection, { at: pair.text_id })), ...[quote(pair.passage.text)].flat()]
    : pair.concept
      ? [el("p", { class: "place" }, el("span", { class: "tag" }, t("concept")), " ", el("b", {}, pair.concept.name), pair.concept.aliases?.length > 0 && el("span", { class: "faint" }, ` ${pair.concept.aliases.join(" · ")}`)), pair.concept.description && el("blockquote", {}, pair.concept.description)]
      : [el("p", { class: "faint" }, t("text_gone"))];
  return [el("p", { class: "facts" }, ...facts(pair), verdictTag(pair.said), verdictButtons(pair, judge)), ...words, el("p", { class: "why" }, reason(pair)), adds(pair)];
}

export const { show, key, keys, leave } = splitView({ kind: "pictures", id: "image_id", statuses: STATUSES, row, details });
