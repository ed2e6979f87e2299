// Makes the embedding map answer: which image a point is, where a class lies, and a closer look.
"use strict";

const mapData = JSON.parse(document.getElementById("map-data").textContent);
const mapStage = document.getElementById("map-stage");
const mapSvg = document.getElementById("map-picture");
const mapCard = document.getElementById("map-card");
const mapTile = document.getElementById("map-tile");
const mapSprite = document.getElementById("map-sprite");
const mapChoice = document.getElementById("map-class");
const mapRing = document.getElementById("map-ring");
const mapStatus = document.getElementById("map-status");
const MARGIN = 20;
const SIDE = 1000 + 2 * MARGIN;
const WHOLE = [-MARGIN, -MARGIN, SIDE, SIDE];
const REACH = 24; // pixels between a pointer and the point that it means
const KINDS = { 1: "right", 0: "wrong", [-1]: "other" };
const WORDS = {
  1: "✓ most similar image is right",
  0: "✗ most similar image is wrong",
  [-1]: "no query",
};
let chosen = -1; // a class
let current = -1; // an image
let view = WHOLE;

const isShown = (kind) => document.querySelector(`[data-layer="${kind}"]`)?.checked ?? true;

const candidates = () => {
  const shown = { 1: isShown("right"), 0: isShown("wrong"), [-1]: isShown("other") };
  const found = [];
  for (let n = 0; n < mapData.x.length; n += 1) {
    if (shown[mapData.right[n]] && (chosen < 0 || mapData.classes[n] === chosen)) found.push(n);
  }
  return found;
};

// Pixels of the window for each unit of the map.
const scale = () => mapSvg.getBoundingClientRect().width / view[2];

const toMap = (event) => {
  const box = mapSvg.getBoundingClientRect();
  return [
    view[0] + (event.clientX - box.left) / scale(),
    view[1] + (event.clientY - box.top) / scale(),
  ];
};

const nearest = (x, y, reach) => {
  let best = -1;
  let least = reach * reach;
  for (const n of candidates()) {
    const distance = (mapData.x[n] - x) ** 2 + (mapData.y[n] - y) ** 2;
    if (distance < least) [best, least] = [n, distance];
  }
  return best;
};

const drawTile = (n) => {
  const { tile, columns } = mapData;
  mapTile.width = tile;
  mapTile.height = tile;
  mapTile.dataset.image = n;
  if (!mapSprite) return;
  const from = [(n % columns) * tile, Math.floor(n / columns) * tile];
  const draw = () => {
    if (Number(mapTile.dataset.image) !== n) return;
    mapTile.getContext("2d").drawImage(mapSprite, ...from, tile, tile, 0, 0, tile, tile);
    mapTile.dataset.drawn = n;
  };
  mapSprite.decode().then(draw, () => {});
};

const hide = () => {
  current = -1;
  mapCard.hidden = true;
  mapRing.hidden = true;
};

const show = (n, said = false) => {
  if (n < 0) return;
  const name = mapData.names[mapData.classes[n]];
  const split = mapData.splitNames[mapData.splits[n]] ?? "";
  const words = [name, `${split} · ${WORDS[mapData.right[n]]}`, mapData.ids[n]];
  if (n !== current) {
    drawTile(n);
    [...mapCard.querySelectorAll("p")].forEach((line, at) => { line.textContent = words[at]; });
    mapCard.className = `map-card ${KINDS[mapData.right[n]]}`;
  }
  current = n;
  mapCard.hidden = false;
  const [x, y] = [(mapData.x[n] - view[0]) * scale(), (mapData.y[n] - view[1]) * scale()];
  const side = mapSvg.getBoundingClientRect().width;
  const [width, height] = [mapCard.offsetWidth, mapCard.offsetHeight];
  const left = x > side / 2 ? x - width - 14 : x + 14;
  const top = y > side / 2 ? y - height - 14 : y + 14;
  const within = (start, length) => Math.max(0, Math.min(start, side - length));
  mapCard.style.transform = `translate(${within(left, width)}px, ${within(top, height)}px)`;
  mapRing.hidden = x < 0 || y < 0 || x > side || y > side;
  mapRing.style.transform = `translate(${x}px, ${y}px)`;
  if (said) mapStatus.textContent = words.join(", ");
};

const choose = (label) => {
  chosen = label;
  hide();
  const paths = { right: "", wrong: "", other: "" };
  for (let n = 0; label >= 0 && n < mapData.x.length; n += 1) {
    if (mapData.classes[n] === label) {
      paths[KINDS[mapData.right[n]]] += `M${mapData.x[n]} ${mapData.y[n]}h0`;
    }
  }
  for (const [kind, path] of Object.entries(paths)) {
    document.getElementById(`map-chosen-${kind}`).setAttribute("d", path || "M0 0");
  }
  const center = label >= 0 ? mapData.centers?.[label] : null;
  const [x, y] = center ?? [0, 0];
  const cross = `M${x - 22} ${y}h44M${x} ${y - 22}v44`;
  document.getElementById("map-chosen-center").setAttribute("d", center ? cross : "M0 0");
  mapStage.classList.toggle("one-class", label >= 0);
  if (label >= 0) {
    const found = candidates();
    const wrong = found.filter((n) => mapData.right[n] === 0).length;
    const asked = found.filter((n) => mapData.right[n] >= 0).length;
    mapStatus.textContent =
      `${mapData.names[label]}: ${found.length} images on the map, ${wrong} of ${asked} queries wrong`;
  } else {
    mapStatus.textContent = "All classes";
  }
};

const look = (next) => {
  const size = Math.min(SIDE, Math.max(60, next[2]));
  const within = (start) => Math.min(SIDE - MARGIN - size, Math.max(-MARGIN, start));
  view = [within(next[0]), within(next[1]), size, size];
  mapSvg.setAttribute("viewBox", view.map((value) => value.toFixed(1)).join(" "));
  mapStage.classList.toggle("zoomed", size < SIDE);
  if (current >= 0) show(current);
};

const zoom = (factor, [x, y] = [view[0] + view[2] / 2, view[1] + view[3] / 2]) => {
  const size = Math.min(SIDE, view[2] / factor);
  const ratio = size / view[2];
  look([x - (x - view[0]) * ratio, y - (y - view[1]) * ratio, size]);
};

// ---- pointers ----

let dragged = null;
mapStage.addEventListener("pointerdown", (event) => {
  dragged = view[2] < SIDE ? { at: [event.clientX, event.clientY], from: view } : null;
});
window.addEventListener("pointerup", () => { dragged = null; });
window.addEventListener("pointercancel", () => { dragged = null; });
mapStage.addEventListener("pointermove", (event) => {
  if (dragged) {
    const [x, y] = dragged.at;
    look([
      dragged.from[0] - (event.clientX - x) / scale(),
      dragged.from[1] - (event.clientY - y) / scale(),
      view[2],
    ]);
    return;
  }
  const found = nearest(...toMap(event), REACH / scale());
  if (found >= 0) show(found);
  else hide();
});
mapStage.addEventListener("click", (event) => {
  const found = nearest(...toMap(event), REACH / scale());
  if (found >= 0) show(found, true);
  else hide();
});
mapStage.addEventListener("pointerleave", (event) => {
  if (event.pointerType === "mouse" && document.activeElement !== mapStage) hide();
});
mapStage.addEventListener("dblclick", (event) => zoom(2, toMap(event)));

// ---- keys ----

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// The image that is nearest in a direction, with what is aside counting double.
const step = ([dx, dy]) => {
  const [x, y] = [mapData.x[current], mapData.y[current]];
  let best = -1;
  let least = Infinity;
  for (const n of candidates()) {
    const ahead = (mapData.x[n] - x) * dx + (mapData.y[n] - y) * dy;
    const aside = Math.abs((mapData.x[n] - x) * dy) + Math.abs((mapData.y[n] - y) * dx);
    if (ahead > 0 && aside <= 2 * ahead && ahead + 2 * aside < least) {
      [best, least] = [n, ahead + 2 * aside];
    }
  }
  return best;
};

// A point outside of what is seen is brought into the middle.
const follow = (n) => {
  const [x, y] = [mapData.x[n], mapData.y[n]];
  const seen = x > view[0] && x < view[0] + view[2] && y > view[1] && y < view[1] + view[3];
  if (!seen) look([x - view[2] / 2, y - view[3] / 2, view[2]]);
};

mapStage.addEventListener("keydown", (event) => {
  const keys = { "+": () => zoom(2), "=": () => zoom(2), "-": () => zoom(0.5) };
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in ARROWS) {
    const middle = [view[0] + view[2] / 2, view[1] + view[3] / 2];
    const found = current < 0 ? nearest(...middle, 3000) : step(ARROWS[event.key]);
    if (found >= 0) {
      follow(found);
      show(found, true);
    }
  } else if (event.key === "Escape") hide();
  else if (event.key === "0") look(WHOLE);
  else if (event.key in keys) keys[event.key]();
  else return;
  event.preventDefault();
});
mapStage.addEventListener("blur", hide);

// ---- controls, which are of no use without this script ----

mapChoice.addEventListener("change", () => choose(Number(mapChoice.value)));
document.getElementById("map-in").addEventListener("click", () => zoom(2));
document.getElementById("map-out").addEventListener("click", () => zoom(0.5));
document.getElementById("map-all").addEventListener("click", () => {
  mapChoice.value = "-1";
  choose(-1);
  look(WHOLE);
});
window.addEventListener("beforeprint", hide);
document.getElementById("map-controls").hidden = false;
mapStage.tabIndex = 0;
