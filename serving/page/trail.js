/**
 * @file Draws what was searched so far, as images that lead back.
 */
"use strict";

/** @param {Query[]} steps Oldest first; the last is the one that is shown. */
function showTrail(steps) {
  const items = steps.map((query, n) => {
    const back = steps.length - 1 - n;
    const image = new Image(40, 40);
    image.src = query.url;
    image.alt = "";
    const button = /** @type {HTMLButtonElement} */ (make("button", ""));
    button.type = "button";
    button.title = query.name;
    button.append(image, make("span", "unseen", `${n + 1}: ${query.name}`));
    if (back) {
      button.addEventListener("click", () => history.go(-back));
    } else {
      button.setAttribute("aria-current", "step");
    }
    const item = make("li", "");
    item.append(button);
    return item;
  });
  const trail = element("trail");
  trail.hidden = steps.length < 2;
  trail.querySelector("ol")?.replaceChildren(...items);
}
