/**
 * @file Finds and makes parts of the page.
 */
"use strict";

/**
 * @param {string} tag
 * @param {string} classes
 * @param {string} [text]
 * @returns {HTMLElement}
 */
function make(tag, classes, text = "") {
  const made = document.createElement(tag);
  made.className = classes;
  made.textContent = text;
  return made;
}

/**
 * @param {string} id
 * @returns {HTMLElement} The part of the page of this id.
 */
function element(id) {
  const found = document.getElementById(id);
  if (!found) {
    throw new Error(`the page has no ${id}`);
  }
  return found;
}
