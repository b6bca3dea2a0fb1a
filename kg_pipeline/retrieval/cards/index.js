"use strict";
const box = document.querySelector("input[type=search]");
const status = document.querySelector("[role=status]");
const sections = [...document.querySelectorAll("section[data-what]")];
const plain = (text) => text.normalize("NFKC").toLowerCase();
const entries = sections.map((section) =>
  [...section.querySelectorAll(".entry")].map((entry) => [entry, plain(entry.dataset.name)]),
);
function show() {
  const asked = plain(box.value).split(/\s+/).filter(Boolean);
  const counts = sections.map((section, place) => {
    let shown = 0;
    for (const [entry, name] of entries[place]) {
      entry.hidden = !asked.every((word) => name.includes(word));
      shown += entry.hidden ? 0 : 1;
    }
    section.hidden = asked.length > 0 && shown === 0;
    return `${shown} ${section.dataset.what}`;
  });
  status.textContent = counts.join(", ");
}
box.addEventListener("input", show);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== box) {
    event.preventDefault();
    box.focus();
  } else if (event.key === "Escape" && document.activeElement === box) {
    box.value = "";
    show();
  }
});
