/**
 * @file Lets files in: chosen, taken with a camera, pasted, or dropped anywhere on the page.
 *
 * Not for what is in them (photo.js).
 */
"use strict";

/** @param {(files: File[]) => void} taken Told what was given; nothing, if it was no file. */
function takePhotos(taken) {
  for (const [button, field] of [
    ["choose", "file"],
    ["take", "camera"],
  ]) {
    const input = /** @type {HTMLInputElement} */ (element(field));
    element(button).addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      const files = [...(input.files ?? [])];
      input.value = ""; // so that the same file can be chosen again
      taken(files);
    });
  }
  document.addEventListener("paste", (event) => {
    if (event.target instanceof HTMLInputElement) {
      return;
    }
    event.preventDefault();
    taken([...(event.clipboardData?.files ?? [])]);
  });
  let depth = 0; // of the parts of the page that the pointer is in while it drags
  const cover = (/** @type {number} */ change) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("dropping", depth > 0);
  };
  document.addEventListener("dragenter", (event) => {
    event.preventDefault();
    cover(1);
  });
  document.addEventListener("dragleave", () => cover(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    cover(-depth);
    taken([...(event.dataTransfer?.files ?? [])]);
  });
}
