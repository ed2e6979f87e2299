/**
 * @file Asks a model server, TensorFlow Serving or the embedded one, over its REST API.
 *
 * Not for what is shown of the answers (results.js), nor for waiting for a server
 * (server_watch.js). Requests name a version, so that an answer and its thumbnails come from the
 * same one, and it is known which.
 */
"use strict";

/**
 * An image of the gallery that looks like the one asked about.
 * @typedef {object} Neighbour
 * @property {string} id
 * @property {string} className
 * @property {number} score The cosine of the two embeddings.
 * @property {boolean} isMatch Whether the model thinks that both show the same class.
 */

/**
 * The state of a version: LOADING, AVAILABLE, END, …; `error` says why it could not be loaded.
 * @typedef {{version: string, state: string, error: string}} VersionState
 */

/**
 * What a version can do; `lacking` says why it is no similarity model, or is empty.
 * @typedef {{lacking: string, thumbnails: boolean}} Abilities
 */

/**
 * Why a request has no answer.
 *
 * `away`: no server; `missing`: it has no such model or version; `busy`: it cannot answer now;
 * `large`: too large a request; `refused`: it will refuse the same again; `strange`: what answers
 * is no model server.
 * @typedef {"away" | "missing" | "busy" | "large" | "refused" | "strange"} Failure
 */

/** A request that has no answer. */
class ApiError extends Error {
  /**
   * @param {Failure} kind
   * @param {string} message The server's words, or the browser's.
   */
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

const NEIGHBOUR_OUTPUTS = [
  "neighbour_ids",
  "neighbour_class_names",
  "neighbour_labels",
  "neighbour_scores",
  "is_match",
];

// Fills the rows of galleries that are smaller than K.
const PADDING_LABEL = -1;

const TIMEOUT_MS = 60_000;

/** @type {Map<number, Failure>} */
const FAILURES = new Map([
  [404, "missing"],
  [413, "large"],
  [429, "busy"],
  [502, "away"],
  [503, "busy"],
  [504, "busy"],
]);

/** One model of a server. */
class ModelApi {
  /**
   * @param {URL} server Where its REST API is; the path ends with a slash.
   * @param {string} model Its name.
   */
  constructor(server, model) {
    this.server = server;
    this.model = model;
    this.url = new URL(`v1/models/${encodeURIComponent(model)}`, server).href;
  }

  /**
   * @returns {Promise<VersionState[]>} Every version that the server knows of.
   * @throws {ApiError}
   */
  async versions() {
    const answer = await ask(this.url);
    return reading(() =>
      answer.model_version_status.map((/** @type {any} */ entry) => ({
        version: String(BigInt(entry.version)),
        state: entry.state,
        error: entry.status?.error_message ?? "",
      })),
    );
  }

  /**
   * @param {string} version
   * @returns {Promise<Abilities>}
   * @throws {ApiError}
   */
  async abilities(version) {
    const answer = await ask(`${this.url}/versions/${version}/metadata`);
    return reading(() => {
      const signatures = answer.metadata.signature_def.signature_def;
      const asked = signatures.serving_default;
      return { lacking: lackOf(asked), thumbnails: "thumbnail" in signatures };
    });
  }

  /**
   * @param {string} version
   * @param {Blob} image An encoded image.
   * @param {AbortSignal} signal
   * @returns {Promise<Neighbour[]>} Best first.
   * @throws {ApiError}
   */
  async similar(version, image, signal) {
    const body = `{"instances": [{"b64": "${await base64(image)}"}]}`;
    const answer = await ask(`${this.url}/versions/${version}:predict`, body, signal);
    return reading(() => {
      const [row] = answer.predictions;
      return row.neighbour_ids
        .map((/** @type {string} */ id, /** @type {number} */ n) => ({
          id,
          className: row.neighbour_class_names[n],
          score: row.neighbour_scores[n],
          isMatch: row.is_match[n],
          label: row.neighbour_labels[n],
        }))
        .filter((/** @type {{label: number}} */ found) => found.label !== PADDING_LABEL);
    });
  }

  /**
   * @param {string} version
   * @param {string[]} ids
   * @returns {Promise<Blob[]>} Their thumbnails, in that order.
   * @throws {ApiError}
   */
  async thumbnails(version, ids) {
    const body = JSON.stringify({ signature_name: "thumbnail", instances: ids });
    const answer = await ask(`${this.url}/versions/${version}:predict`, body);
    return reading(() =>
      answer.predictions.map((/** @type {{b64: string}} */ found) => {
        const bytes = Uint8Array.from(atob(found.b64), (letter) => letter.charCodeAt(0));
        return new Blob([bytes], { type: "image/jpeg" });
      }),
    );
  }
}

/**
 * @param {string} url
 * @param {string} [body] JSON; a GET request without it.
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>} The answer's JSON.
 * @throws {ApiError}
 */
async function ask(url, body, signal) {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), TIMEOUT_MS);
  const giveUp = () => timeout.abort();
  signal?.addEventListener("abort", giveUp);
  try {
    const response = await fetch(url, {
      method: body === undefined ? "GET" : "POST",
      // A type that needs no question before the request, where the server is another's.
      headers: body === undefined ? {} : { "Content-Type": "text/plain" },
      body,
      cache: "no-store",
      credentials: "omit",
      signal: timeout.signal,
    });
    const text = await response.text();
    const answer = parsed(text);
    if (response.ok && answer !== undefined) {
      return answer;
    }
    const known = FAILURES.get(response.status);
    const message = typeof answer?.error === "string" ? answer.error : "";
    if (message || (known && known !== "missing")) {
      throw new ApiError(known ?? "refused", message || `HTTP status ${response.status}`);
    }
    throw new ApiError("strange", `${url} answers with HTTP status ${response.status}, not JSON`);
  } catch (error) {
    if (error instanceof ApiError || signal?.aborted) {
      throw error;
    }
    if (timeout.signal.aborted) {
      throw new ApiError("busy", `no answer within ${TIMEOUT_MS / 1000} seconds`);
    }
    throw new ApiError("away", String(error));
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
  }
}

/**
 * @param {string} text
 * @returns {any} What JSON it is; undefined if it is none.
 */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * @template T
 * @param {() => T} read Takes an answer apart.
 * @returns {T}
 * @throws {ApiError} If it is of another form.
 */
function reading(read) {
  try {
    return read();
  } catch (error) {
    throw new ApiError("strange", `the answer is not understood: ${error}`);
  }
}

/**
 * @param {any} signature The model's default signature, as the metadata API describes it.
 * @returns {string} Why it does not find similar images; empty if it does.
 */
function lackOf(signature) {
  if (!signature) {
    return "it has no signature serving_default";
  }
  const inputs = Object.entries(signature.inputs ?? {});
  if (inputs.length !== 1 || inputs[0][1].dtype !== "DT_STRING") {
    return "its signature serving_default does not take an encoded image";
  }
  const outputs = signature.outputs ?? {};
  const lacking = NEIGHBOUR_OUTPUTS.filter((name) => !(name in outputs));
  return lacking.length ? `its signature serving_default does not give ${lacking.join(", ")}` : "";
}

/**
 * @param {Blob} blob
 * @returns {Promise<string>}
 */
function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,?/, ""));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
