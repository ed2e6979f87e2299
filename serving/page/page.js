/**
 * @file Puts the page together: takes photos in, asks about them, and remembers what was asked.
 */
"use strict";

/**
 * What was asked, or is to be.
 * @typedef {object} Query
 * @property {string} name
 * @property {string} id Of an image of the gallery; empty for a photo.
 * @property {Blob} image What is sent.
 * @property {string} url Of what is shown of it.
 * @property {string} note
 * @property {Answer} [answer]
 * @property {number} [failures] How often there was no answer.
 */

const MOST_FAILURES = 3;

// Fingers drop and paste nothing.
const HAS_POINTER = matchMedia("(any-hover: hover)").matches;
const FIRST_WORDS = HAS_POINTER
  ? "Drop a photo anywhere on this page, paste one, or choose it."
  : "Choose a photo, or take one.";
const NEXT_WORDS = HAS_POINTER ? "Drop or paste the next photo at any time." : "";

class Page {
  /** @param {Address} address */
  constructor(address) {
    this._address = address;
    /** @type {Query[]} */
    this._trail = [];
    this._place = -1;
    /** @type {Query | null} */
    this._waiting = null;
    this._asking = new AbortController();
    this._results = new Results(
      (answer, ids) => this._thumbnails(answer, ids),
      (neighbour, thumbnail) => this._searchFrom(neighbour, thumbnail),
    );
    this._model = address.model;
    /** @type {ModelApi | null} */
    this._api = null;
    /** @type {ServerWatch | null} */
    this._watch = null;
    history.replaceState({ place: -1 }, "");
    takePhotos((files) => this._take(files));
    window.addEventListener("popstate", (event) => {
      const place = event.state?.place ?? -1;
      this._place = place < this._trail.length ? place : -1;
      this._stopAsking();
      this._present();
    });
    this._showAddress();
    this._present();
    this._connect();
  }

  // ---- the server -------------------------------------------------------------------------

  _connect() {
    const { server, models } = this._address;
    this._watch?.stop();
    if (!server || !this._model) {
      this._show({ kind: "connecting", version: "", thumbnails: false, detail: "" });
      return;
    }
    this._api = new ModelApi(server, this._model);
    const isKnown = models.includes(this._model);
    this._watch = new ServerWatch(this._api, isKnown, (now) => this._show(now));
    this._show(this._watch.now);
  }

  _showAddress() {
    const { server, models, isOwn, problem } = this._address;
    element("other-server").hidden = isOwn;
    element("other-server").addEventListener("click", () => this._askForServer());
    if (problem) {
      this._tell(problem);
    }
    element("promise").textContent = server
      ? `Photos are sent to ${server.host || server.href} and nowhere else.`
      : "";
    element("served").hidden = !this._model;
    element("model-name").textContent = this._model;
    const choice = /** @type {HTMLSelectElement} */ (element("model"));
    if (models.length > 1) {
      const names = models.includes(this._model) ? models : [this._model, ...models];
      choice.append(...names.map((name) => new Option(name, name, false, name === this._model)));
      choice.hidden = false;
      element("model-name").hidden = true;
      choice.addEventListener("change", () => this._changeModel(choice.value));
    }
    if (!server || !this._model) {
      this._askForServer();
    }
  }

  _askForServer() {
    const { server, isOwn } = this._address;
    if (isOwn) {
      this._tell("This server has no model. It must be started with one.");
    } else {
      askForServer(server?.href ?? "", this._model);
    }
  }

  /** @param {string} model */
  _changeModel(model) {
    this._stopAsking();
    const query = this._trail[this._place];
    const url = new URL(location.href);
    url.searchParams.set("model", model);
    this._model = model;
    this._trail = [];
    this._place = -1;
    history.replaceState({ place: -1 }, "", url);
    this._present();
    // The other model's gallery does not have the images of this one's.
    this._waiting = query && !query.id ? { ...query, answer: undefined } : null;
    this._connect();
  }

  /** @param {Watched} now */
  _show(now) {
    const server = this._address.server?.origin ?? "";
    const state = element("state");
    state.dataset.kind = now.kind;
    const [word, notice] = wordsForState(now, server, this._model);
    state.textContent = this._api ? word : "no server yet";
    element("version").textContent = now.version ? `version ${now.version}` : "";
    const bar = element("notice");
    bar.hidden = !notice || !this._api;
    bar.textContent = notice;
    if (now.kind === "ready" && this._waiting) {
      const query = this._waiting;
      this._waiting = null;
      this._search(query);
    }
  }

  // ---- photos -----------------------------------------------------------------------------

  /** @param {File[]} files */
  async _take(files) {
    const file = files[0];
    if (!file) {
      this._tell("That was no photo. If it came from another page, save it and choose the file.");
      return;
    }
    this._stopAsking();
    this._tell("");
    this._busy(`Reading “${file.name}”…`);
    const asking = this._asking;
    try {
      const photo = await readPhoto(file);
      if (asking !== this._asking) {
        return; // another one was chosen meanwhile
      }
      const others = files.length > 1 ? `The first of ${files.length} files.` : "";
      const note = [photo.note, others].filter(Boolean).join(" ");
      const url = URL.createObjectURL(photo.seen);
      await this._search({ name: photo.name, id: "", image: photo.image, url, note });
    } catch (error) {
      if (asking === this._asking) {
        this._busy("");
        this._tell(error instanceof PhotoError ? error.message : `“${file.name}”: ${error}`);
      }
    }
  }

  /**
   * @param {Neighbour} neighbour
   * @param {Blob} thumbnail
   */
  _searchFrom(neighbour, thumbnail) {
    const name = neighbour.className || neighbour.id;
    const note = `Searched from the thumbnail of ${neighbour.id}.`;
    const url = URL.createObjectURL(thumbnail);
    this._search({ name, id: neighbour.id, image: thumbnail, url, note });
  }

  // ---- asking -----------------------------------------------------------------------------

  _stopAsking() {
    this._asking.abort();
    this._asking = new AbortController();
    this._waiting = null;
    this._busy("");
  }

  /** @param {Query} query */
  async _search(query) {
    this._stopAsking();
    this._tell("");
    const { signal } = this._asking;
    if (this._watch?.now.kind !== "ready") {
      this._wait(query);
      return;
    }
    this._busy(`Searching for images like “${query.name}”…`);
    try {
      query.answer = await this._answer(query, signal);
    } catch (error) {
      if (!signal.aborted) {
        this._busy("");
        this._explain(query, error);
      }
      return;
    }
    if (signal.aborted) {
      return;
    }
    this._busy("");
    const left = this._trail.splice(this._place + 1, Infinity, query);
    left.forEach(({ url }) => URL.revokeObjectURL(url));
    this._place += 1;
    history.pushState({ place: this._place }, "");
    this._present();
    this._results.focus();
  }

  /**
   * @param {Query} query
   * @param {AbortSignal} signal
   * @returns {Promise<Answer>}
   */
  async _answer(query, signal) {
    const api = /** @type {ModelApi} */ (this._api);
    const { version } = /** @type {ServerWatch} */ (this._watch).now;
    const begin = performance.now();
    const neighbours = await api.similar(version, query.image, signal);
    const milliseconds = performance.now() - begin;
    const thumbnails = new Map();
    return { neighbours, version, milliseconds, queryId: query.id, shown: 0, thumbnails };
  }

  /**
   * @param {Answer} answer
   * @param {string[]} ids
   * @returns {Promise<Map<string, Blob>>} Empty where there are none.
   */
  async _thumbnails(answer, ids) {
    if (!this._api || !this._watch?.now.thumbnails) {
      return new Map();
    }
    try {
      const thumbnails = await this._api.thumbnails(answer.version, ids);
      return new Map(ids.map((id, n) => [id, thumbnails[n]]));
    } catch (error) {
      this._tell(`The images cannot be shown: ${briefly(error)}`);
      return new Map();
    }
  }

  /**
   * @param {Query} query
   * @param {unknown} error
   */
  _explain(query, error) {
    const mayCome =
      error instanceof ApiError && (error.kind === "away" || error.kind === "missing");
    query.failures = (query.failures ?? 0) + 1;
    if (mayCome && query.failures < MOST_FAILURES) {
      this._wait(query);
    } else {
      this._tell(wordsForFailure(error, query.name));
    }
  }

  /** @param {Query} query */
  _wait(query) {
    this._waiting = query;
    this._busy(`“${query.name}” will be searched as soon as the model answers.`);
    // It may be there already: back again, or as a newer version in place of the one asked.
    if (this._watch?.now.kind === "ready") {
      this._watch.now = { ...this._watch.now, kind: "connecting" };
      this._watch.look();
    }
  }

  // ---- what is seen -----------------------------------------------------------------------

  _present() {
    const query = this._trail[this._place];
    const frame = element("preview-frame");
    const note = element("asking-note");
    document.body.classList.toggle("asked", Boolean(query));
    frame.hidden = !query;
    note.hidden = !query?.note;
    note.textContent = query?.note ?? "";
    element("asking-title").textContent = query ? query.name : "Which images look like yours?";
    element("asking-text").textContent = query ? NEXT_WORDS : FIRST_WORDS;
    element("choose").textContent = query ? "Choose another" : "Choose a photo";
    showTrail(this._trail.slice(0, this._place + 1));
    if (!query?.answer) {
      this._results.clear();
      return;
    }
    /** @type {HTMLImageElement} */ (element("preview")).src = query.url;
    this._results.show(query.answer);
    element("announcement").textContent =
      element("results-title").textContent + ". " + element("results-text").textContent;
  }

  /** @param {string} what Goes on; empty for nothing. */
  _busy(what) {
    document.body.classList.toggle("busy", Boolean(what));
    element("progress").textContent = what;
  }

  /** @param {string} problem Empty takes it away. */
  _tell(problem) {
    element("problem").hidden = !problem;
    element("problem").textContent = problem;
  }
}

findAddress(location).then((address) => new Page(address));
