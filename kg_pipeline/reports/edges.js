"use strict";
const PAGE = 40, NEAR = 1200, BARS = 12, KINDS = ["chunk", "document", "concept"];
const FIRST = ["intercept"], LAST = ["rivals", "other_passages", "reranker"];
const form = document.getElementById("tools"), list = document.getElementById("edges"), more = document.getElementById("more");
const status = document.querySelector("[role=status]"), only = document.getElementById("only");
let data, edges, found = [], drawn = 0, texts = null;

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== ""));
  return node;
}
const number = (value, digits) => (value === null ? "–" : value.toFixed(digits));
const kindOf = (edge) => KINDS[edges.kind[edge]];
const passageOf = (edge) => (edges.passage[edge] === null ? ["", "", "", "", null] : data.passages[edges.passage[edge]]);
const pictureOf = (edge) => data.pictures[edges.picture[edge]];
function textId(edge) {
  const text = edges.text[edge];
  if (kindOf(edge) === "chunk") return passageOf(edge)[0];
  return kindOf(edge) === "concept" ? data.concepts[text][0] : text;
}
const conceptOf = (edge) => (kindOf(edge) === "concept" ? data.concepts[edges.text[edge]][1] : "");

/* --- what is asked for: in the form and, to be passed on, in the address --- */
let linked = {};
function readAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  linked = { image: asked.get("image") || "", text: asked.get("text") || "" };
  for (const field of form.elements) if (field.name) field.value = asked.get(field.name) || (field.tagName === "SELECT" ? field.options[0].value : "");
}
function writeAddress() {
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries(linked)) if (value) said.set(name, value);
  for (const field of form.elements) {
    if (field.name && field.value && !(field.tagName === "SELECT" && field.selectedIndex === 0)) said.set(field.name, field.value);
  }
  history.replaceState(null, "", "#" + said.toString());
}

/* --- which edges, in which order --- */
function searchable(edge) {
  if (!texts) texts = new Array(edges.picture.length);
  if (texts[edge] === undefined) {
    const passage = passageOf(edge);
    texts[edge] = [pictureOf(edge).path, passage[1], passage[2], passage[3], conceptOf(edge), edges.reason[edge]].join("\n").toLowerCase();
  }
  return texts[edge];
}
const WHICH = {
  weak: (edge) => edges.confidence[edge] !== null && edges.confidence[edge] <= data.weak,
  close: (edge) => edges.margin_points[edge] !== null && edges.margin_points[edge] < data.close,
  unused: (edge) => !pictureOf(edge).used,
  accepted: (edge) => edges.accepted[edge],
};
function tests() {
  const asked = form.elements, wanted = [];
  if (linked.image) wanted.push((edge) => pictureOf(edge).id.startsWith(linked.image));
  if (linked.text) wanted.push((edge) => textId(edge) === linked.text || passageOf(edge)[0] === linked.text);
  if (asked.kind.value) wanted.push((edge) => kindOf(edge) === asked.kind.value);
  if (asked.which.value) wanted.push(WHICH[asked.which.value]);
  if (asked.because.value === "none") wanted.push((edge) => !edges.findings[edge].length);
  else if (asked.because.value) wanted.push((edge) => edges.findings[edge].includes(Number(asked.because.value)));
  if (asked.confidence.value) wanted.push((edge) => edges.confidence[edge] !== null && edges.confidence[edge] < Number(asked.confidence.value));
  if (asked.margin.value) wanted.push((edge) => edges.margin_points[edge] !== null && edges.margin_points[edge] < Number(asked.margin.value));
  for (const word of asked.words.value.toLowerCase().split(/\s+/).filter(Boolean)) wanted.push((edge) => searchable(edge).includes(word));
  return wanted;
}
function sorted(rows) {
  const by = form.elements.order.value, column = by.replace("-", ""), sign = by.startsWith("-") ? -1 : 1;
  if (by === "confidence") return rows;
  const path = { path: (edge) => pictureOf(edge).path, document: (edge) => passageOf(edge)[1] }[by];
  if (path) return rows.sort((a, b) => (path(a) < path(b) ? -1 : path(a) > path(b) ? 1 : a - b));
  const value = (edge) => (edges[column][edge] === null ? Infinity : sign * edges[column][edge]);
  return rows.sort((a, b) => value(a) - value(b) || a - b);
}
function show() {
  const wanted = tests(), rows = [];
  for (let edge = 0; edge < edges.picture.length; edge++) if (wanted.every((test) => test(edge))) rows.push(edge);
  found = sorted(rows);
  drawn = 0;
  list.replaceChildren();
  only.hidden = !(linked.image || linked.text);
  if (!only.hidden) {
    const picture = linked.image && data.pictures.find((one) => one.id.startsWith(linked.image));
    const said = linked.image ? "picture " + (picture ? picture.path : linked.image) : "text " + linked.text;
    only.firstElementChild.textContent = found.length ? "Only the edges of " + said + "." : "No kept edge of " + said + ": it may be gone since this page was written, or not be kept.";
  }
  status.textContent = found.length.toLocaleString("en") + " of " + edges.picture.length.toLocaleString("en") + (edges.picture.length === 1 ? " edge" : " edges");
  draw();
  drawWhatIsNear();
}
function draw() {
  list.append(...found.slice(drawn, drawn + PAGE).map(card));
  drawn = Math.min(found.length, drawn + PAGE);
  more.textContent = drawn < found.length ? (found.length - drawn).toLocaleString("en") + " more" : "";
}
function drawWhatIsNear() {
  while (data && drawn < found.length && more.getBoundingClientRect().top < innerHeight + NEAR) draw();
}

/* --- how an edge looks --- */
function frame(picture) {
  const none = () => el("span", { class: "none" }, "no thumbnail");
  // A page that is a file may show the picture's own file; over http whoever serves the page may make thumbnails.
  const source = picture.thumbnail || (location.protocol === "file:" ? picture.link : "thumbnails/" + picture.id);
  if (!source) return el("div", { class: "frame" }, none());
  const image = el("img", { src: source, alt: picture.path, loading: "lazy" });
  image.addEventListener("error", () => image.replaceWith(none()), { once: true });
  return el("div", { class: "frame" }, image);
}
function steps(edge) {
  const flat = edges.parts[edge], parts = [];
  for (let at = 0; at < flat.length; at += 2) parts.push([data.parts[flat[at]], flat[at + 1]]);
  const of = (names) => parts.filter(([name]) => names.includes(name)).sort((a, b) => names.indexOf(a[0]) - names.indexOf(b[0]));
  const features = parts.filter(([name]) => !FIRST.includes(name) && !LAST.includes(name)).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]) || (a[0] < b[0] ? -1 : 1));
  const small = features.slice(BARS), all = [...of(FIRST), ...features.slice(0, BARS)];
  if (small.length) all.push([small.length + " smaller", small.reduce((sum, part) => sum + part[1], 0), small.map(([name, value]) => name + " " + value.toFixed(2)).join(", ")]);
  return [...all, ...of(LAST)];
}
function bars(edge) {
  const all = steps(edge);
  if (!all.length) return "";
  const ends = all.reduce((sums, part) => [...sums, sums[sums.length - 1] + part[1]], [0]);
  const low = Math.min(...ends), span = Math.max(...ends) - low || 1, total = ends[ends.length - 1];
  const chart = el("dl", { class: "bars", "aria-label": "What adds up to the log-odds" });
  const bar = (name, value, start, title, kind) => {
    const box = document.createElementNS("http://www.w3.org/2000/svg", "svg"), rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const marks = { x: (100 * (start - low)) / span + "%", width: Math.max(0.6, (100 * Math.abs(value)) / span) + "%", height: "9", class: kind };
    for (const [key, said] of Object.entries(marks)) rect.setAttribute(key, said);
    box.append(rect);
    chart.append(el("dt", { title: title || data.meanings[name] || null }, name), el("dd", {}, box, (value < 0 ? "−" : "+") + Math.abs(value).toFixed(1)));
  };
  all.forEach(([name, value, title], at) => bar(name, value, Math.min(ends[at], ends[at + 1]), title, value > 0 ? "up" : "down"));
  bar("sum", total, Math.min(0, total), "", "sum");
  const confidence = edges.confidence[edge] === null ? "" : " → confidence " + edges.confidence[edge].toFixed(2);
  // What the bars do not decide is said by whoever does.
  const way = data.ways[edges.way[edge]], decides = way.includes("the bars say") ? edges.log_odds[edge] : total;
  return el("div", { class: "fall" }, chart, el("p", { class: "decision" }, "log-odds " + number(decides, 1) + confidence + ", " + way));
}
function link(name, values) {
  return el("a", { href: "#" + new URLSearchParams(values).toString() }, name);
}
function card(edge) {
  const picture = pictureOf(edge), kind = kindOf(edge), [chunk, document_, heading, text, line] = passageOf(edge);
  const path = (said) => el("bdi", {}, said);
  const caption = el("figcaption", { class: "path" }, picture.link && location.protocol === "file:" ? el("a", { href: picture.link }, path(picture.path)) : path(picture.path));
  const facts = el("p", { class: "facts" }, el("span", { class: "score", title: "score, 0–10" }, number(edges.score[edge], 1)));
  if (kind !== "chunk") facts.append(el("span", { class: "tag" }, kind), el("b", {}, conceptOf(edge)));
  facts.append(
    el("span", {}, "confidence " + number(edges.confidence[edge], 2)),
    el("span", { title: "among the texts of this kind for the picture" }, "rank " + edges.rank[edge]),
    el("span", { title: "points ahead of the picture's next text" }, "margin " + number(edges.margin_points[edge], 1)),
    el("span", { title: "among the pictures for this text" }, "picture rank " + (edges.image_rank[edge] === null ? "–" : edges.image_rank[edge])),
  );
  if (!picture.used) facts.append(el("span", { class: "tag unreferenced_matched" }, "not in use"));
  const place = el("p", { class: "place" }, el("b", { class: "path" }, path(document_), line ? el("span", { class: "line" }, ":" + line) : ""), heading ? el("span", { class: "heading" }, heading) : "");
  const links = el("p", { class: "links" }, link("all edges of this picture", { image: picture.id }), chunk ? link("all edges of this passage", { text: chunk }) : "");
  const body = el("div", {}, facts, place, text ? el("blockquote", {}, text) : "", edges.reason[edge] ? el("p", { class: "why" }, edges.reason[edge]) : "", links);
  return el("li", { class: "card", "data-edge": edge, "data-image": picture.id }, el("figure", { class: "picture" }, frame(picture), caption), el("div", { class: "body" }, el("div", { class: "edge" }, body, bars(edge))));
}

/* --- begin --- */
async function unpack(id) {
  const packed = Uint8Array.from(atob(document.getElementById(id).textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}
let waiting;
form.addEventListener("input", (event) => {
  clearTimeout(waiting);
  waiting = setTimeout(() => { writeAddress(); show(); }, event.target.type === "search" ? 150 : 0);
});
form.addEventListener("submit", (event) => event.preventDefault());
only.querySelector("button").addEventListener("click", () => { linked = {}; writeAddress(); show(); });
addEventListener("hashchange", () => { readAddress(); show(); scrollTo(0, 0); });
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/INPUT|SELECT|TEXTAREA/.test(document.activeElement.tagName)) {
    event.preventDefault();
    form.elements.words.focus();
  }
});
unpack("data").then((found_) => {
  data = found_;
  edges = data.edges;
  readAddress();
  show();
  addEventListener("scroll", drawWhatIsNear, { passive: true });
  addEventListener("resize", drawWhatIsNear);
}, (error) => { status.textContent = "the edges could not be unpacked (" + error.message + "): a newer browser may be needed"; });
