/**
 * @file Draws an answer: what it says, and the images it found, a part at a time.
 *
 * Not for asking (model_api.js), nor for what follows when an image is chosen (page.js).
 */
"use strict";

/**
 * @typedef {object} Answer
 * @property {Neighbour[]} neighbours Best first.
 * @property {string} version Of the model that gave it.
 * @property {number} milliseconds Until it was here.
 * @property {string} queryId Of the gallery image that was asked about; empty for a photo.
 * @property {number} shown How many of the neighbours are shown.
 * @property {Map<string, Blob>} thumbnails By id, those fetched so far.
 */

const SHOWN_AT_FIRST = 12;
const SHOWN_MORE = 12;

// The side of an image on the page, in CSS pixels, follows the thumbnails'; these are its bounds.
const SMALLEST_TILE = 100;
const LARGEST_TILE = 190;

/** The part of the page with the images that were found. */
class Results {
  /**
   * @param {(answer: Answer, ids: string[]) => Promise<Map<string, Blob>>} fetchThumbnails Gives
   *   those that can be had.
   * @param {(neighbour: Neighbour, thumbnail: Blob) => void} chosen Told which one is.
   */
  constructor(fetchThumbnails, chosen) {
    this._fetchThumbnails = fetchThumbnails;
    this._chosen = chosen;
    this._section = element("results");
    this._title = element("results-title");
    this._text = element("results-text");
    this._list = element("neighbours");
    this._more = /** @type {HTMLButtonElement} */ (element("more"));
    this._more.addEventListener("click", () => this._showMore());
    /** @type {Answer | null} */
    this._answer = null;
    /** @type {string[]} */
    this._urls = [];
  }

  /** Shows nothing. */
  clear() {
    this._answer = null;
    this._section.hidden = true;
    this._forget();
  }

  /** @param {Answer} answer */
  show(answer) {
    this._answer = answer;
    this._forget();
    const { title, text } = wordsForAnswer(answer);
    this._title.textContent = title;
    this._text.textContent = text;
    this._section.hidden = false;
    const shown = answer.shown || SHOWN_AT_FIRST;
    answer.shown = 0;
    this._add(answer, shown);
  }

  /** Moves the keyboard and screen readers to the answer. */
  focus() {
    this._title.focus({ preventScroll: true });
    window.scrollTo(0, 0); // where it is also seen what was asked about
  }

  _forget() {
    this._list.replaceChildren();
    this._urls.forEach((url) => URL.revokeObjectURL(url));
    this._urls = [];
  }

  _showMore() {
    if (this._answer) {
      const first = this._answer.shown;
      this._add(this._answer, SHOWN_MORE);
      // The button may be gone, and with it where the keyboard was.
      const tile = this._list.children[first]?.querySelector("button");
      tile?.focus();
    }
  }

  /**
   * @param {Answer} answer
   * @param {number} count How many more to show.
   */
  async _add(answer, count) {
    const found = answer.neighbours.slice(answer.shown, answer.shown + count);
    answer.shown += found.length;
    const rest = answer.neighbours.length - answer.shown;
    this._more.hidden = rest === 0;
    this._more.textContent = `Show ${Math.min(rest, SHOWN_MORE)} more`;
    const tiles = found.map((neighbour) => tileOf(neighbour, neighbour.id === answer.queryId));
    this._list.append(...tiles.map((tile) => tile.item));

    const missing = found.map((one) => one.id).filter((id) => !answer.thumbnails.has(id));
    if (missing.length) {
      const fetched = await this._fetchThumbnails(answer, missing);
      fetched.forEach((thumbnail, id) => answer.thumbnails.set(id, thumbnail));
    }
    if (answer !== this._answer) {
      return; // another one is shown meanwhile
    }
    tiles.forEach((tile, n) => {
      const thumbnail = answer.thumbnails.get(found[n].id);
      if (!thumbnail) {
        tile.picture.classList.remove("waiting");
        tile.button.setAttribute("aria-disabled", "true");
        return;
      }
      tile.button.addEventListener("click", () => this._chosen(found[n], thumbnail));
      this._fill(tile.picture, thumbnail);
    });
  }

  /**
   * @param {HTMLElement} picture
   * @param {Blob} thumbnail
   */
  _fill(picture, thumbnail) {
    const image = new Image();
    image.alt = "";
    image.addEventListener("load", () => {
      picture.classList.remove("waiting");
      const side = Math.min(image.naturalWidth, image.naturalHeight) * 1.35;
      const tile = Math.min(LARGEST_TILE, Math.max(SMALLEST_TILE, side));
      this._list.style.setProperty("--tile", `${Math.round(tile)}px`);
    });
    image.addEventListener("error", () => {
      picture.classList.remove("waiting");
      image.remove();
    });
    const url = URL.createObjectURL(thumbnail);
    this._urls.push(url);
    image.src = url;
    picture.prepend(image);
  }
}

/**
 * @param {Neighbour} neighbour
 * @param {boolean} isQuery Whether it is the image that was asked about.
 * @returns {{item: HTMLElement, button: HTMLElement, picture: HTMLElement}}
 */
function tileOf(neighbour, isQuery) {
  const picture = make("span", "picture waiting");
  const tag = isQuery ? "itself" : neighbour.isMatch ? "match" : "";
  if (tag) {
    picture.append(make("span", isQuery ? "badge itself" : "badge", tag));
  }
  const bar = make("span", "bar");
  bar.style.setProperty("--score", String(Math.min(1, Math.max(0, neighbour.score))));
  const line = make("span", "line");
  line.append(bar, make("span", "score", neighbour.score.toFixed(2)));
  const button = /** @type {HTMLButtonElement} */ (make("button", "tile"));
  button.type = "button";
  button.title = neighbour.id;
  button.classList.toggle("matching", neighbour.isMatch && !isQuery);
  button.append(picture, make("span", "name", neighbour.className || "no class"), line);
  const item = make("li", "");
  item.append(button);
  return { item, button, picture };
}
