/**
 * @file Makes of a file what is sent to the model.
 *
 * The model decodes JPEG, PNG, GIF and BMP. Whatever else the browser can decode is converted, and
 * what would be a wastefully large request is reduced. Not for sending it (model_api.js).
 */
"use strict";

/**
 * @typedef {object} Photo
 * @property {string} name
 * @property {Blob} image What is sent.
 * @property {Blob} seen What the page shows.
 * @property {string} note What was done to it; empty for nothing.
 */

/** A file that is no photo that could be sent; the message is for whoever chose it. */
class PhotoError extends Error {}

// A model sees some 256 pixels of the shorter side, at most 1024: of a phone's 12 megapixels most
// would be sent in vain.
const LARGEST_SENT_BYTES = 1_000_000;
const SHORTER_SIDE = 1024;
const LONGER_SIDE = 8192; // what every browser can draw
const JPEG_QUALITY = 0.92;
const LARGEST_FILE_BYTES = 200_000_000;

/** Formats by their first bytes, of which each dot stands for any one. */
const FORMATS = [
  { name: "JPEG", begin: "\xff\xd8\xff", sent: true },
  { name: "PNG", begin: "\x89PNG\r\n\x1a\n", sent: true },
  { name: "GIF", begin: "GIF8", sent: true },
  { name: "BMP", begin: "BM", sent: true },
  { name: "WebP", begin: "RIFF....WEBP", sent: false },
  { name: "AVIF", begin: "....ftypavi", sent: false },
  { name: "HEIC", begin: "....ftyphe", sent: false },
  { name: "HEIF", begin: "....ftypmif1", sent: false },
];

/**
 * @param {File} file
 * @returns {Promise<Photo>}
 * @throws {PhotoError}
 */
async function readPhoto(file) {
  const name = file.name || "pasted photo";
  if (!file.size) {
    throw new PhotoError(`“${name}” is empty.`);
  }
  if (file.size > LARGEST_FILE_BYTES) {
    throw new PhotoError(`“${name}” has ${sizeText(file.size)}: too much for a photo.`);
  }
  const format = await formatOf(file);
  const bitmap = await decoded(file, name, format?.name);
  try {
    if (format?.sent && file.size <= LARGEST_SENT_BYTES) {
      return { name, image: file, seen: file, note: "" };
    }
    const image = await redrawn(bitmap, format?.name !== "JPEG");
    if (format?.sent && image.size >= file.size) {
      return { name, image: file, seen: file, note: "" };
    }
    const to = image.type === "image/png" ? "PNG" : "JPEG";
    const note = format?.sent
      ? `Reduced from ${sizeText(file.size)} to ${sizeText(image.size)} before it was sent.`
      : `Converted from ${format?.name ?? file.type} to ${to} before it was sent.`;
    return { name, image, seen: image, note };
  } finally {
    bitmap.close();
  }
}

/**
 * @param {File} file
 * @returns {Promise<{name: string, sent: boolean} | undefined>} Undefined for one of no known format.
 */
async function formatOf(file) {
  const bytes = new Uint8Array(await file.slice(0, 16).arrayBuffer());
  return FORMATS.find(({ begin }) =>
    Array.from(begin).every((letter, n) => letter === "." || letter.charCodeAt(0) === bytes[n]),
  );
}

/**
 * @param {File} file
 * @param {string} name
 * @param {string} [format]
 * @returns {Promise<ImageBitmap>} Upright.
 * @throws {PhotoError}
 */
async function decoded(file, name, format) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    if (!format) {
      throw new PhotoError(`“${name}” is no image that this browser can read.`);
    }
    const reason =
      ["AVIF", "HEIC", "HEIF"].includes(format)
        ? `this browser reads no ${format}. Save it as JPEG.`
        : `it looks like a ${format}, but it is damaged.`;
    throw new PhotoError(`“${name}” cannot be read: ${reason}`);
  }
}

/**
 * @param {ImageBitmap} bitmap
 * @param {boolean} keepExact Whether to keep every pixel's value, if that is not too large.
 * @returns {Promise<Blob>} PNG or JPEG, reduced where it is larger than a model needs.
 */
async function redrawn(bitmap, keepExact) {
  const { width, height } = bitmap;
  const scale = Math.min(
    1,
    SHORTER_SIDE / Math.min(width, height),
    LONGER_SIDE / Math.max(width, height),
  );
  const [toWidth, toHeight] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  // Halved as long as that leaves more than is wanted: some browsers skip pixels on longer ways.
  /** @type {ImageBitmap | HTMLCanvasElement} */
  let drawn = bitmap;
  while (drawn.width >= 2 * toWidth && drawn.height >= 2 * toHeight) {
    drawn = canvasOf(drawn, Math.ceil(drawn.width / 2), Math.ceil(drawn.height / 2));
  }
  const canvas = canvasOf(drawn, toWidth, toHeight);
  const exact = keepExact ? await encoded(canvas, "image/png") : null;
  return exact && exact.size <= LARGEST_SENT_BYTES ? exact : encoded(canvas, "image/jpeg");
}

/**
 * @param {ImageBitmap | HTMLCanvasElement} image
 * @param {number} width
 * @param {number} height
 * @returns {HTMLCanvasElement} It in this size, on white as the model sees what is transparent.
 */
function canvasOf(image, width, height) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  if (!context) {
    throw new PhotoError("This browser has no memory left to reduce the photo.");
  }
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, width, height);
  return canvas;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {string} type
 * @returns {Promise<Blob>}
 */
function encoded(canvas, type) {
  return new Promise((resolve, reject) => {
    const done = (/** @type {Blob | null} */ blob) =>
      blob ? resolve(blob) : reject(new PhotoError("This browser cannot convert the photo."));
    canvas.toBlob(done, type, JPEG_QUALITY);
  });
}

/**
 * @param {number} bytes
 * @returns {string} Such as "3.4 MB".
 */
function sizeText(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
