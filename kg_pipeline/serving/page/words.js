// The language of the page: every string by key, from words/en.json and words/zh.json.

const LANGUAGES = ["en", "zh"];
let words = {};
let language = "en";

export function wantedLanguage() {
  const chosen = localStorage.getItem("kg-pipeline.language");
  if (LANGUAGES.includes(chosen)) return chosen;
  const first = (navigator.languages ?? [navigator.language]).map((tag) => tag.slice(0, 2)).find((tag) => LANGUAGES.includes(tag));
  return first ?? "en";
}

export async function speak(wanted) {
  const answer = await fetch(new URL(`words/${wanted}.json`, import.meta.url));
  words = await answer.json();
  language = wanted;
  document.documentElement.lang = wanted === "zh" ? "zh-Hans" : "en";
}

export const spoken = () => language;

/** The string of a key, with `{name}` filled in; with `count`, its form for one or for many. */
export function t(key, values = {}) {
  const form = "count" in values ? `${key}.${values.count === 1 ? "one" : "other"}` : key;
  const text = words[form] ?? words[key];
  if (text === undefined) {
    console.error(`no words for ${form}`);
    return form;
  }
  return text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? String(values[name]) : all));
}

export const has = (key) => key in words;
