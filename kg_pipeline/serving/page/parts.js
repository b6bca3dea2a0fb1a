// Parts that several views share: pictures, passages, pairs with what adds up, filters, paging.

import { showPicture } from "./api.js";
import { el, meter, path, score, share, signed, svg } from "./dom.js";
import { has, spoken, t } from "./words.js";

/** A picture by its id in a frame; the frame stays when there is nothing to show, and says so. */
export function frame(imageId, name, side = 160, shape = "") {
  const image = el("img", { alt: name, loading: "lazy", decoding: "async" });
  const box = el("span", { class: `frame ${shape}` }, image, el("span", { class: "none" }, t("no_preview")));
  if (imageId) showPicture(image, `pictures/${imageId}/thumbnail`, { side });
  else box.classList.add("failed");
  return box;
}

export const heading = (passage) => (passage.headings ?? []).join(" › ");

/** Where a passage stands: document, line, headings. */
export function place(passage, href) {
  const where = [path(passage.document)];
  if (passage.line) where.push(el("span", { class: "line" }, `:${passage.line}`));
  const name = href ? el("a", { href }, ...where) : el("span", {}, ...where);
  return el("p", { class: "place" }, name, heading(passage) && el("span", { class: "heading" }, heading(passage)));
}

/** The text of a passage; what is long is cut by the style until somebody asks for all of it. */
export function quote(text, long = 600) {
  const block = el("blockquote", {}, text);
  if (text.length <= long) return block;
  block.classList.add("cut");
  const more = el("button", { type: "button", class: "link", onclick: () => {
    block.classList.remove("cut");
    more.remove();
  } }, t("show_all"));
  return [block, more];
}

export const confidence = (value) =>
  el("span", { class: "confidence" }, meter(value), el("span", {}, el("span", { class: "label" }, t("confidence")), " ", el("b", {}, share(value))));

/** Score, confidence, margin, rank of a pair, seen from its picture (`rank`) or from its passage (`image_rank`). */
export function facts(pair, side = "rank") {
  const margin = side === "rank" ? pair.margin_points : pair.image_margin_points;
  return [
    el("span", { class: "score", title: t("score_hint") }, score(pair.score)),
    confidence(pair.confidence),
    margin !== null && el("span", { title: t("margin_hint") }, t("margin"), " ", el("b", {}, signed(margin))),
    pair[side] !== null && el("span", {}, t("rank"), " ", el("b", {}, String(pair[side]))),
  ];
}

/** The reason in the page's language: in English as it stands in the table, else put together anew. */
export function reason(pair) {
  const written = pair.reason ?? "";
  if (spoken() === "en" || !written.startsWith("Score: ")) return written;
  const [, decision = ""] = written.split(/; (?=kept|not kept)/);
  const found = pair.findings.map(finding).join(t("list_comma")) || finding("nothing in particular speaks for it");
  const blind = written.includes("(judged by words and paths") ? t("by_words") : "";
  return `${t("score")} ${score(pair.score)} — ${found}${blind}${t("semicolon")}${decided(decision)}`;
}

export const finding = (text) => (has(`finding.${text}`) ? t(`finding.${text}`) : text);

function decided(text) {
  const [, not, why] = /^(not )?kept: (.*)$/s.exec(text) ?? [null, "", text];
  const by = /^(accepted|rejected) by (.*)$/s.exec(why);
  const said = by
    ? t(`${by[1]}_by`, { name: by[2] })
    : why.replace(/^decorative image, .*$/s, t("decorative_image")).replace("the pair could not be scored", t("not_scored"))
      .replace("confidence", t("confidence")).replace("rank", t("rank")).replace(", ", t("list_comma"));
  return `${not ? t("not_kept") : t("kept")}${t("colon")}${said}`;
}

/** The steps from nothing to the log-odds of a pair. */
export function waterfall(pair) {
  if (!pair.bars.length) return null;
  const rows = pair.bars.flatMap((bar) => {
    const kind = bar.name === "sum" ? "sum" : bar.value < 0 ? "down" : "up";
    const chart = svg("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { x: bar.start, width: Math.max(bar.width, 0.6), height: 8, class: kind }));
    const count = /^(\d+) smaller$/.exec(bar.name);
    const name = count ? t("smaller", { n: count[1] }) : has(`feature.${bar.name}`) ? t(`feature.${bar.name}`) : bar.name;
    return [el("dt", { title: bar.note || bar.name }, name), el("dd", {}, chart, signed(bar.value, 2))];
  });
  const total = pair.bars.at(-1).value;
  const how = t(pair.confidence_source === "calibrated" ? "how_calibrated" : "how_score");
  const decision = Math.abs(total - (pair.log_odds ?? 0)) < 0.01 || (pair.confidence_source === "calibrated" && pair.text_kind !== "concept")
    ? t("decision", { log_odds: signed(total), confidence: share(pair.confidence), how })
    : t("decision_reranker", { log_odds: signed(pair.log_odds), confidence: share(pair.confidence), how });
  return el("div", { class: "fall" }, el("dl", { class: "bars" }, ...rows), el("p", { class: "decision" }, decision));
}

export const adds = (pair, open = false) =>
  pair.bars.length ? el("details", { class: "more", open }, el("summary", {}, t("adds_up")), waterfall(pair)) : null;

export const verdictTag = (said) =>
  said && el("span", { class: `tag ${said.verdict}`, title: t(`${said.verdict}_by`, { name: said.by }) }, t(said.verdict));

/** Accept, reject and undo of a pair; `judge(pair, verdict)` is called with null for undo. */
export function verdictButtons(pair, judge, keys = false) {
  const button = (verdict, key) =>
    el("button", {
      type: "button", class: `verdict ${verdict}`, "aria-pressed": String(pair.said?.verdict === verdict),
      onclick: () => judge(pair, pair.said?.verdict === verdict ? null : verdict),
    }, t(verdict === "accepted" ? "accept" : "reject"), keys && el("kbd", {}, key));
  return el("span", { class: "verdicts", role: "group", "aria-label": t("verdict") }, button("accepted", "a"), button("rejected", "r"));
}

// --- lists

/** A labelled choice; `options` are values and their words. */
export function choice(label, value, options, change) {
  const select = el("select", { onchange: () => change(select.value) },
    ...options.map(([option, words]) => el("option", { value: option, selected: option === (value ?? "") }, words)));
  return el("label", { class: "field" }, el("span", {}, label), select);
}

export function searchBox(value, change) {
  const box = el("input", { type: "search", value: value ?? "", autocomplete: "off", spellcheck: false, placeholder: t("search_hint"), oninput: () => change(box.value),
    onkeydown: (event) => {
      if (event.key === "Escape") (box.value ? ((box.value = ""), change("")) : box.blur());
    } });
  return el("label", { class: "field search" }, el("span", { class: "hidden" }, t("search")), box, el("kbd", { "aria-hidden": "true" }, "/"));
}

export function confidenceRange(min, max, change) {
  const box = (value, name, empty) => el("input", { type: "number", min: 0, max: 1, step: 0.05, value: value ?? "", placeholder: empty, inputMode: "decimal", "aria-label": t(name), onchange: () => change(low.value, high.value) });
  const low = box(min, "min_confidence", "0.0");
  const high = box(max, "max_confidence", "1.0");
  return el("span", { class: "field range", role: "group", "aria-label": t("confidence_range") }, el("span", {}, t("confidence_range")), low, "–", high);
}

/** Where one is in a long list, with links to the pages beside. */
export function pager(total, offset, limit, go) {
  const last = Math.min(offset + limit, total);
  const step = (to, key, sign, usable) => el("button", { type: "button", disabled: !usable, "aria-label": t(key), title: t(key), onclick: () => go(to) }, sign);
  return el("div", { class: "pager" },
    el("span", { role: "status" }, total ? t("shown_of", { from: offset + 1, to: last, total: total.toLocaleString(spoken()) }) : t("nothing_found")),
    total > limit && el("span", { class: "steps" }, step(Math.max(0, offset - limit), "previous_page", "‹", offset > 0), step(offset + limit, "next_page", "›", last < total)));
}

/** What stands where something went wrong, in words. */
export function failure(error) {
  const words = error.status === 0 ? t("error_network") : error.status === 401 ? t("error_token") : error.status === 429 ? t("error_busy") : t("error_server");
  return el("div", { class: "banner bad", role: "alert" }, el("strong", {}, words), error.message && el("p", {}, error.message));
}
