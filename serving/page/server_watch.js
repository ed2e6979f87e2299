/**
 * @file Follows whether the model can be asked, and which version answers.
 *
 * Looks again every few seconds while the page is seen. Not for showing it (page.js).
 */
"use strict";

/**
 * What is known of the server.
 *
 * `away`: no answer; `closed`: it answers, but not to pages of other origins; `missing`: it has no
 * such model; `loading`: no version of it yet; `broken`: no version could be loaded; `other`: the
 * model is no similarity model; `strange`: no model server answers.
 * @typedef {object} Watched
 * @property {"connecting" | "ready" | "away" | "closed" | "missing" | "loading" | "broken" | "other"
 *   | "strange"} kind
 * @property {string} version The one to ask, if it is ready.
 * @property {boolean} thumbnails Whether it has thumbnails.
 * @property {string} detail The server's words.
 */

const LOOK_WHEN_READY_MS = 5_000;
const LOOK_WHEN_NOT_MS = 1_500;

/** Looks at one model until it is stopped. */
class ServerWatch {
  /**
   * @param {ModelApi} api
   * @param {boolean} isKnown Whether the server says that it has the model.
   * @param {(now: Watched) => void} changed Told what is known, whenever that changes.
   */
  constructor(api, isKnown, changed) {
    /** @type {Watched} */
    this.now = { kind: "connecting", version: "", thumbnails: false, detail: "" };
    this._api = api;
    this._isKnown = isKnown;
    this._changed = changed;
    this._stopped = false;
    this._timer = 0;
    /** @type {Promise<Watched> | null} */
    this._looking = null;
    this._onSeen = () => {
      if (!document.hidden) {
        this.look();
      }
    };
    document.addEventListener("visibilitychange", this._onSeen);
    this.look();
  }

  /** Looks no more. */
  stop() {
    this._stopped = true;
    clearTimeout(this._timer);
    document.removeEventListener("visibilitychange", this._onSeen);
  }

  /**
   * Looks at once.
   * @returns {Promise<Watched>} What is known then.
   */
  look() {
    clearTimeout(this._timer);
    this._looking ??= this._look().then((now) => {
      this._looking = null;
      if (this._stopped) {
        return now;
      }
      const before = JSON.stringify(this.now);
      this.now = now;
      if (JSON.stringify(now) !== before) {
        this._changed(now);
      }
      const pause = now.kind === "ready" ? LOOK_WHEN_READY_MS : LOOK_WHEN_NOT_MS;
      // A page that nobody looks at asks nothing: `_onSeen` goes on.
      this._timer = document.hidden ? 0 : setTimeout(() => this.look(), pause);
      return now;
    });
    return this._looking;
  }

  /** @returns {Promise<Watched>} */
  async _look() {
    const unready = { version: "", thumbnails: false, detail: "" };
    try {
      const versions = await this._api.versions();
      const version = newest(versions.filter((one) => one.state === "AVAILABLE"));
      if (!version) {
        const failed = versions.find((one) => one.error);
        const loading = versions.some((one) => one.state !== "END");
        const kind = failed && !loading ? "broken" : "loading";
        return { ...unready, kind, detail: kind === "broken" ? (failed?.error ?? "") : "" };
      }
      if (this.now.kind === "ready" && this.now.version === version) {
        return this.now;
      }
      const { lacking, thumbnails } = await this._api.abilities(version);
      return { kind: lacking ? "other" : "ready", version, thumbnails, detail: lacking };
    } catch (error) {
      if (!(error instanceof ApiError)) {
        throw error;
      }
      return { ...unready, kind: await this._meaning(error), detail: error.message };
    }
  }

  /**
   * @param {ApiError} error
   * @returns {Promise<Watched["kind"]>}
   */
  async _meaning(error) {
    if (error.kind === "missing") {
      return this._isKnown ? "loading" : "missing";
    }
    if (error.kind === "away" && (await answersUnread(this._api.server))) {
      return "closed";
    }
    return error.kind === "away" || error.kind === "busy" ? "away" : "strange";
  }
}

/**
 * @param {VersionState[]} versions
 * @returns {string} The highest number; empty if there are none.
 */
function newest(versions) {
  const numbers = versions.map((one) => BigInt(one.version));
  return numbers.length ? String(numbers.reduce((a, b) => (a > b ? a : b))) : "";
}

/**
 * @param {URL} server
 * @returns {Promise<boolean>} Whether it answers, but this page may not read what.
 */
async function answersUnread(server) {
  if (server.origin === location.origin) {
    return false;
  }
  try {
    await fetch(server, { mode: "no-cors", cache: "no-store", credentials: "omit" });
    return true;
  } catch {
    return false;
  }
}
