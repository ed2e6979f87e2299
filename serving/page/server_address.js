/**
 * @file Which server and model the page asks: its own server, or what its address names.
 *
 * The embedded server says beside the page what it serves (models.json); it alone is asked then. A
 * copy of the page elsewhere asks `?server=URL&model=NAME`, or the server that it comes from.
 */
"use strict";

/**
 * @typedef {object} Address
 * @property {URL | null} server Where the REST API is, ending with a slash; null if not known.
 * @property {string} model Name of the model to begin with; empty if not known.
 * @property {string[]} models All that are known.
 * @property {boolean} isOwn Whether the page comes from the embedded server that it asks.
 * @property {string} problem What is wrong with the page's address; empty if nothing is.
 */

/**
 * @param {Location} location The page's.
 * @returns {Promise<Address>}
 */
async function findAddress(location) {
  const asked = new URLSearchParams(location.search);
  const [wanted, model] = [asked.get("server") ?? "", asked.get("model") ?? ""];
  const here = new URL(".", location.href);
  const isFile = here.protocol === "file:";
  const own = isFile ? null : await servedBy(here);
  if (own) {
    const other = wanted && serverUrl(wanted)?.href !== own.server.href;
    const problem = other
      ? `This page only asks the server that it comes from, not ${wanted}. ` +
        "Open a copy of its files to ask another."
      : "";
    return { ...own, model: model || own.models[0] || "", isOwn: true, problem };
  }
  if (!wanted) {
    const server = isFile || !model ? null : new URL("/", location.href);
    return { server, model, models: [], isOwn: false, problem: "" };
  }
  const server = serverUrl(wanted);
  if (!server) {
    const problem = `“${wanted}” is not the address of a server: it should look like http://127.0.0.1:8501.`;
    return { server: null, model, models: [], isOwn: false, problem };
  }
  allowOnly(server);
  const found = model ? null : await servedBy(new URL("page/", server));
  const models = found?.models ?? [];
  return { server, model: model || models[0] || "", models, isOwn: false, problem: "" };
}

/**
 * @param {string} text
 * @returns {URL | null} The address of a server, ending with a slash; null for anything else.
 */
function serverUrl(text) {
  try {
    const url = new URL(text);
    if (url.protocol !== "http:" && url.protocol !== "https:") {
      return null;
    }
    url.search = url.hash = "";
    url.pathname = url.pathname.replace(/\/*$/, "/");
    return url;
  } catch {
    return null;
  }
}

/**
 * @param {URL} page Where an embedded server has its page.
 * @returns {Promise<{server: URL, models: string[]} | null>} Null if there is none.
 */
async function servedBy(page) {
  try {
    const found = await ask(new URL("models.json", page).href);
    return { server: new URL(found.api, page), models: found.models.map(String) };
  } catch {
    return null;
  }
}

/**
 * Lets the browser refuse requests to any other server from now on.
 * @param {URL} server
 */
function allowOnly(server) {
  const policy = document.createElement("meta");
  policy.httpEquiv = "Content-Security-Policy";
  policy.content = `connect-src ${server.origin}`;
  document.head.append(policy);
}

/**
 * Shows the form that asks for a server; what it is given becomes the page's address.
 * @param {string} server Filled in; if empty, what the page's address says.
 * @param {string} model Filled in.
 */
function askForServer(server, model) {
  const wanted = new URLSearchParams(location.search).get("server") ?? "";
  /** @type {HTMLInputElement} */ (element("server-field")).value = server || wanted;
  /** @type {HTMLInputElement} */ (element("model-field")).value = model;
  const form = /** @type {HTMLFormElement} */ (element("connection"));
  form.onsubmit = (event) => {
    event.preventDefault();
    const given = new FormData(form);
    const [to, name] = [given.get("server"), given.get("model")].map((text) => String(text).trim());
    location.search = String(new URLSearchParams({ server: to, model: name }));
  };
  form.hidden = false;
  element("server-field").focus();
}
