// Requests to the server that this page came from: the token, errors in words, pictures.

const KEY = "kg-pipeline.token";
let askForToken = async () => null;
let asking = null;

export const onTokenNeeded = (ask) => (askForToken = ask);
export const token = () => sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY);
export const forgetToken = () => [sessionStorage, localStorage].forEach((store) => store.removeItem(KEY));

export class ApiError extends Error {
  constructor(status, detail, retryAfter = null) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

const address = (path, params = {}) => {
  const url = new URL(`api/${path}`, document.baseURI);
  for (const [name, value] of Object.entries(params)) if (value !== "" && value !== null && value !== undefined) url.searchParams.set(name, value);
  return url;
};

async function request(url, options, refused = false) {
  const headers = { ...options.headers };
  const sent = token();
  if (sent) headers.Authorization = `Bearer ${sent}`;
  let answer;
  try {
    answer = await fetch(url, { ...options, headers, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "");
  }
  if (answer.status === 401 && (await newToken(sent, refused))) return request(url, options, true);
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({}));
    throw new ApiError(answer.status, typeof said.detail === "string" ? said.detail : "", Number(answer.headers.get("Retry-After")) || null);
  }
  return answer;
}

/** Whether there is another token than the refused one; asks once, however many requests wait for it. */
async function newToken(refused, again) {
  if (token() !== refused) return true;
  asking ??= askForToken(Boolean(refused) || again).finally(() => (asking = null));
  const given = await asking;
  if (!given) return false;
  (given.remember ? localStorage : sessionStorage).setItem(KEY, given.token);
  return true;
}

export const get = async (path, params, signal) => (await request(address(path, params), { signal })).json();

export async function send(method, path, body, signal) {
  const isForm = body instanceof FormData;
  const options = { method, signal, body: isForm ? body : body && JSON.stringify(body), headers: isForm || !body ? {} : { "Content-Type": "application/json" } };
  const answer = await request(address(path), options);
  return answer.status === 204 ? null : answer.json();
}

/** Sets an image's source. With a token the bytes are fetched, for an address cannot carry one. */
export function showPicture(image, path, params) {
  const url = address(path, params);
  image.addEventListener("error", () => image.closest(".frame")?.classList.add("failed"), { once: true });
  if (!token()) {
    image.src = url;
    return;
  }
  const load = async () => {
    try {
      const blob = await (await request(url, {})).blob();
      const source = URL.createObjectURL(blob);
      image.addEventListener("load", () => URL.revokeObjectURL(source), { once: true });
      image.src = source;
    } catch {
      image.dispatchEvent(new Event("error"));
    }
  };
  seen.observe(image);
  waiting.set(image, load);
}

/** Follows a link to a file with the token, which an address cannot carry: the file is saved. */
export async function saveFile(path, name) {
  const source = URL.createObjectURL(await (await request(address(path), {})).blob());
  const anchor = Object.assign(document.createElement("a"), { href: source, download: name });
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(source), 10_000);
}

const waiting = new WeakMap();
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries.filter((entry) => entry.isIntersecting)) {
    seen.unobserve(entry.target);
    waiting.get(entry.target)?.();
  }
}, { rootMargin: "300px" });
