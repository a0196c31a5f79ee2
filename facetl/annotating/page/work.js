// What goes on beside the frame: how much is done, the strip, retraining and searching.

import { S, command, frame, isDoubtful, load, pollJob, redraw } from "./state.js";

const $ = (id) => document.getElementById(id);
const items = new Map();
const MARKS = { done: "✓", skipped: "–" };
let told = 0; // number of the job whose end was told
let timer = null;
let again = () => {};

/** What is called once other boxes are suggested. */
export const onSuggested = (listener) => { again = listener; };

function button(text, run) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", run);
  return made;
}

export function notice(text, kind = "", ...buttons) {
  $("notice").hidden = !text;
  $("notice").className = kind;
  $("notice-text").textContent = text;
  $("notice-buttons").replaceChildren(...buttons);
}
const close = () => button("Close", () => notice(""));
export const complain = (text, isConflict) =>
  notice(isConflict ? text : `Not saved: ${text}`, "bad", close());
const fail = (text) => notice(text, "bad", close());

export function drawStrip(open) {
  const list = $("strip");
  const wanted = S.order.map((number) => {
    if (!items.has(number)) items.set(number, makeItem(number, open));
    const { item, button: own, mark } = items.get(number);
    const { name, state, boxes } = S.frames[number];
    own.className = state;
    own.setAttribute("aria-label", `${name}, ${state}, ${boxes.length} boxes`);
    own.setAttribute("aria-current", String(number === S.at));
    mark.textContent = MARKS[state] ?? boxes.length;
    return item;
  });
  if (wanted.length !== list.children.length || wanted.some((item, i) => list.children[i] !== item)) list.replaceChildren(...wanted);
  items.get(S.at)?.item.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function makeItem(number, open) {
  const item = document.createElement("li");
  const own = button("", () => open(number));
  const image = document.createElement("img");
  const mark = document.createElement("span");
  Object.assign(image, { src: `small/${number}`, alt: "", loading: "lazy" });
  mark.className = "mark";
  own.append(image, mark);
  item.append(own);
  return { item, button: own, mark };
}

export function drawWork() {
  const records = Object.values(S.frames);
  const done = records.filter(({ state }) => state === "done").length;
  const { project } = S;
  const job = project.job?.state === "running" ? project.job : null;
  $("name").textContent = project.name;
  document.title = `${project.name}: facetl annotate`;
  $("count").textContent = `${done} of ${records.length} done`;
  Object.assign($("bar"), { max: records.length || 1, value: done });
  $("retrain").disabled = Boolean(job || project.obstacle);
  $("retrain").title = $("obstacle").textContent = project.obstacle;
  $("search").disabled = Boolean(job || !project.searchable);
  $("report").hidden = !project.report;
  $("empty").hidden = Boolean(job) || records.some(({ state }) => state === "waiting");
  $("more").hidden = project.is_mending || !project.searchable;
  const record = frame();
  if (record) {
    const doubtful = record.boxes.filter((box) => isDoubtful(box)).length;
    const faces = `${record.boxes.length} ${record.boxes.length === 1 ? "box" : "boxes"}`;
    $("place").textContent = `${record.name} · ${faces}${doubtful ? `, ${doubtful} doubtful` : ""}${record.state === "waiting" ? "" : ` · ${record.state}`}`;
  }
}

/** Look after the job that is running, if there is one, and tell its end. */
export function watch() {
  clearTimeout(timer);
  const { job } = S.project;
  if (!job) return;
  if (job.state === "running") {
    const words = { retrain: "Retraining", search: "Searching", suggest: "Suggesting anew", pick: "Picking more frames" }[job.kind];
    const left = job.left ? `, ${job.left} left` : "";
    notice(`${words}${left}${job.message ? ` · ${job.message}` : ""}`, "", button("Stop", () => command("stop", {}, fail)));
    timer = setTimeout(() => pollJob().then(redraw).then(watch).catch((error) => fail(error.message)), 700);
  } else if (job.number !== told) {
    told = job.number;
    load().then(() => tellEnd(job)).then(again).catch((error) => fail(error.message));
  }
}

function tellEnd({ kind, state, message, outcome }) {
  if (state === "failed") return fail(`It failed: ${message}`);
  if (state === "stopped") return notice(`Stopped; ${message}`, "", close());
  const use = (text, round) => button(text, () => command("use", { round }, fail).then(watch));
  if (kind === "retrain") message += `. The new detector is ${outcome.weights}`;
  if (kind === "retrain" && outcome.is_used)
    return notice(`Better: ${message}`, "good", button("Keep", () => notice("")), use("Undo", outcome.before));
  if (kind === "retrain")
    return notice(`Not better, so it is not used: ${message}`, "bad", button("Leave it", () => notice("")), use("Use it anyway", outcome.round));
  if (kind === "search") return notice(`${message} (in ${outcome.folder})`, "good", ...(S.project.report ? [link()] : []), close());
  return notice(message, "good", close());
}

function link() {
  const made = document.createElement("a");
  Object.assign(made, { href: "report", target: "_blank", rel: "noopener", textContent: "Look at it" });
  return made;
}

for (const name of ["retrain", "search", "more"]) $(name).addEventListener("click", () => command(name, {}, fail).then(watch));

export function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  $("theme").textContent = dark ? "Light" : "Dark";
}
$("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme !== "dark"));
