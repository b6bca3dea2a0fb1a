"use strict";
const cardsOf = (section) => [...section.querySelectorAll("[data-card]")];
const textOf = new Map();
function words(card) {
  if (!textOf.has(card)) textOf.set(card, (card.textContent + " " + card.dataset.card).toLowerCase());
  return textOf.get(card);
}
function show(section) {
  const pressed = section.querySelector("[data-filter][aria-pressed=true]");
  const filter = pressed ? pressed.dataset.filter : "";
  const box = section.querySelector("input[type=search]");
  const asked = box ? box.value.toLowerCase().split(/\s+/).filter(Boolean) : [];
  let visible = 0;
  for (const card of cardsOf(section)) {
    const marks = (card.dataset.marks || "").split(" ");
    const fits = (!filter || marks.includes(filter)) && asked.every((word) => words(card).includes(word));
    card.hidden = !fits;
    visible += fits ? 1 : 0;
  }
  const status = section.querySelector("[role=status]");
  if (status) status.textContent = visible === 1 ? "1 shown" : visible + " shown";
}
function order(section, by) {
  const list = section.querySelector("[data-cards]");
  const cards = cardsOf(section);
  const place = (card) => Number(card.dataset.place);
  cards.sort(by === "path" ? (a, b) => (a.dataset.card < b.dataset.card ? -1 : 1) : (a, b) => place(a) - place(b));
  list.append(...(by === "strongest" ? cards.reverse() : cards));
}
for (const section of document.querySelectorAll("section")) {
  const buttons = [...section.querySelectorAll("[data-filter]")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      show(section);
    });
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      buttons[(buttons.indexOf(button) + step + buttons.length) % buttons.length].focus();
    });
  }
  section.querySelector("input[type=search]")?.addEventListener("input", () => show(section));
  section.querySelector("select")?.addEventListener("change", (event) => order(section, event.target.value));
}
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/INPUT|SELECT|TEXTAREA/.test(document.activeElement.tagName)) {
    event.preventDefault();
    document.querySelector("#evidence input[type=search]")?.focus();
  } else if (event.key === "Escape" && document.activeElement.matches("input[type=search]")) {
    document.activeElement.value = "";
    show(document.activeElement.closest("section"));
  }
});
