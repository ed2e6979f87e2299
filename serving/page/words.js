/**
 * @file What the page says of answers, servers and failures.
 */
"use strict";

/**
 * @param {Answer} answer
 * @returns {{title: string, text: string}} What it says.
 */
function wordsForAnswer(answer) {
  const others = answer.neighbours.filter((one) => one.id !== answer.queryId);
  const matches = others.filter((one) => one.isMatch);
  const count = answer.neighbours.length;
  const asked =
    `${count} nearest ${count === 1 ? "image" : "images"} of version ${answer.version}, ` +
    `answered in ${Math.round(answer.milliseconds)} ms.`;
  if (!matches.length) {
    const text = "No match: none is alike enough for the model to be sure.";
    const title = others.length ? `Nearest: ${others[0].className}` : "Nothing else is in the gallery";
    return { title, text: others.length ? `${text} ${asked}` : asked };
  }
  /** @type {Map<string, number>} */
  const counts = new Map();
  matches.forEach(({ className }) => counts.set(className, (counts.get(className) ?? 0) + 1));
  // Of classes with as many matches the one that comes first, for it is nearer.
  const [name, most] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a));
  const share =
    matches.length === 1
      ? "One match."
      : most === matches.length
        ? `${most === 2 ? "Both" : `All ${most}`} matches are of this class.`
        : `${most} of ${matches.length} matches are of this class.`;
  return { title: `Looks like ${name}`, text: `${share} ${asked}` };
}

/**
 * @param {Watched} now
 * @param {string} server
 * @param {string} model
 * @returns {[string, string]} A word or two, and what there is to explain.
 */
function wordsForState({ kind, detail }, server, model) {
  switch (kind) {
    case "ready":
      return ["ready", ""];
    case "connecting":
      return ["connecting", ""];
    case "loading":
      return ["loading", `The model “${model}” is still loading. This page goes on as soon as it answers.`];
    case "away":
      return ["no answer", `No answer from ${server}. Is the server running? This page goes on as soon as it answers.`];
    case "closed":
      return [
        "closed",
        `${server} does not let pages of other origins ask. It must be started with --rest_api_enable_cors_support.`,
      ];
    case "missing":
      return ["no such model", `${server} has no model “${model}”, or not yet: ${detail}`];
    case "broken":
      return ["not loaded", `The model “${model}” could not be loaded: ${detail}`];
    case "other":
      return ["another model", `“${model}” is not a similarity model: ${detail}.`];
    default:
      return ["no model server", `${server} does not answer like a model server: ${detail}`];
  }
}

/**
 * @param {unknown} error
 * @param {string} name Of what was asked about.
 * @returns {string} Why there is no answer.
 */
function wordsForFailure(error, name) {
  switch (error instanceof ApiError ? error.kind : "") {
    case "refused":
      return `The model cannot read “${name}”: ${briefly(error)}`;
    case "large":
      return `“${name}” is larger than the server allows: ${briefly(error)}`;
    case "busy":
      return `The server is too busy: ${briefly(error)}. Try again in a moment.`;
    default:
      return `“${name}” cannot be searched: ${briefly(error)}`;
  }
}

/**
 * @param {unknown} error
 * @returns {string} Its first line, cut where it is long.
 */
function briefly(error) {
  const [line] = String(error instanceof Error ? error.message : error).split("\n", 1);
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}
