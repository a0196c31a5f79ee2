// The page on which frames are annotated: what each key and each button does.

import { S, chosen, frame, isDoubtful, load, onChange, redraw, save, undo } from "./state.js";
import { addInMiddle, cancel, draw, onCommit, shift, zoomBy } from "./stage.js";
import { complain, drawStrip, drawWork, notice, onSuggested, setTheme, watch } from "./work.js";

const $ = (id) => document.getElementById(id);
const stage = $("stage");
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const KEYS = {
  " ": "accept", x: "delete", Delete: "delete", Backspace: "delete", d: "draw", n: "none", s: "skip", u: "undo", l: "label", m: "more",
  Tab: "nextBox", ",": "before", ".": "after", PageUp: "before", PageDown: "after",
  "+": "zoomIn", "=": "zoomIn", "-": "zoomOut", 0: "zoomAll", "?": "help", Enter: "enter", Escape: "leave",
};

// ---- words for those who cannot see the frame

const plural = (count, word, many = `${word}s`) => `${count} ${count === 1 ? word : many}`;
const say = (text) => { $("say").textContent = text; };

function describeFrame() {
  const record = frame();
  if (!record) return "no frame";
  const doubtful = record.boxes.filter((box) => isDoubtful(box)).length;
  const place = S.order.indexOf(S.at) + 1;
  return `Frame ${place} of ${S.order.length}, ${record.state}: ${plural(record.boxes.length, "box", "boxes")}, ${doubtful} doubtful. ${describeBox()}`;
}

function describeBox() {
  const box = chosen();
  if (!box) return "No box selected.";
  const [x1, y1, x2, y2] = box.corners.map(Math.round);
  const place = frame().boxes.indexOf(box) + 1;
  return `Box ${place} of ${frame().boxes.length}, ${isDoubtful(box) ? "doubtful" : "sure"}${box.label ? `, ${box.label}` : ""}, at ${x1}, ${y1}, ${x2 - x1} wide, ${y2 - y1} high.`;
}

// ---- frames

/** Select the box that most needs a look: the most doubtful, else the first. */
function choose() {
  const boxes = frame()?.boxes ?? [];
  const doubtful = boxes.filter((box) => isDoubtful(box)).sort((a, b) => (a.score ?? 0) - (b.score ?? 0));
  S.chosen = (doubtful[0] ?? boxes[0])?.id ?? null;
}

function open(number) {
  S.at = number;
  S.drawing = false;
  choose();
  redraw();
  say(describeFrame());
  const next = following();
  if (next !== undefined) new Image().src = `frames/${next}`;
}

/** The next frame that waits, from here on and then from the start. */
function following() {
  const here = S.order.indexOf(S.at);
  const later = [...S.order.slice(here + 1), ...S.order.slice(0, here)];
  return later.find((number) => S.frames[number].state === "waiting");
}

function finish(state) {
  frame().state = state;
  save(S.at, complain);
  const next = following();
  if (next !== undefined) return open(next);
  redraw();
  return say(`No frame waits any more. Retrain now, or search everything${$("more").hidden ? "" : "; M picks more frames"}.`);
}

function step(by) {
  const place = S.order.indexOf(S.at) + by;
  if (S.order[place] !== undefined) open(S.order[place]);
}

// ---- boxes

function changed(words = describeBox()) {
  save(S.at, complain);
  redraw();
  say(words);
}

function setLabel(label) {
  if (!chosen()) return say("No box selected.");
  chosen().label = label.trim() || null;
  return changed();
}

function nextBox(by) {
  const boxes = frame().boxes;
  if (!boxes.length) return say("There is no box; D draws one.");
  const place = boxes.indexOf(chosen());
  S.chosen = boxes[(place + by + boxes.length) % boxes.length].id;
  redraw();
  return say(describeBox());
}

const ACTIONS = {
  accept: () => finish("done"),
  skip: () => finish("skipped"),
  none: () => {
    frame().boxes = [];
    S.chosen = null;
    finish("done");
  },
  delete: () => {
    if (!chosen()) return say("No box selected.");
    frame().boxes = frame().boxes.filter((box) => box.id !== S.chosen);
    choose();
    return changed(`Deleted. ${describeBox()}`);
  },
  draw: () => {
    S.drawing = !S.drawing;
    cancel();
    redraw();
    say(S.drawing ? "Draw: drag, click two corners, or press Enter for a box in the middle." : "Not drawing.");
  },
  undo: () => undo(complain).then((answer) => {
    if (!answer) return;
    open(answer.changed[0]);
    say(`Undone. ${describeFrame()}`);
  }),
  label: () => {
    if (!chosen()) return say("No box selected.");
    $("known").replaceChildren(...knownLabels().map((label) => new Option(label)));
    $("label-text").value = chosen().label ?? "";
    $("label").showModal();
    return $("label-text").select();
  },
  nextBox: (event) => nextBox(event?.shiftKey ? -1 : 1),
  before: () => step(-1),
  after: () => step(1),
  zoomIn: () => zoomBy(1.5),
  zoomOut: () => zoomBy(1 / 1.5),
  zoomAll: () => zoomBy(0),
  more: () => !$("empty").hidden && $("more").click(),
  help: () => $("keys").showModal(),
  enter: () => S.drawing && addInMiddle(),
  leave: () => {
    if (S.drawing) return ACTIONS.draw();
    return document.querySelector("#tools button").focus();
  },
};

/** Labels used anywhere, the last nine first. */
function knownLabels() {
  const used = Object.values(S.frames).flatMap(({ boxes }) => boxes.map(({ label }) => label)).filter(Boolean);
  return [...new Set([...S.labels, ...used.sort()])];
}

function moveChosen(event, [dx, dy]) {
  const box = chosen();
  if (!box) return dx ? step(dx) : undefined;
  const [x1, y1, x2, y2] = box.corners;
  const by = event.altKey ? 1 : Math.max(1, Math.round(Math.max(x2 - x1, y2 - y1) / 25));
  box.corners = shift(box.corners, dx * by, dy * by, event.shiftKey ? [false, false, true, true] : undefined);
  return changed();
}

// ---- keys and buttons

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey) return;
  const isElsewhere = event.target !== stage && event.target !== document.body;
  if (isElsewhere && ["Tab", " ", "Enter", "Escape", ...Object.keys(ARROWS)].includes(event.key)) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const action = KEYS[key];
  if (!frame() && action !== "help") return;
  if (ARROWS[key]) moveChosen(event, ARROWS[key]);
  else if (/^[1-9]$/.test(key) && S.labels[key - 1]) setLabel(S.labels[key - 1]);
  else if (action && !(event.repeat && ["accept", "none", "skip", "delete", "draw", "more"].includes(action))) ACTIONS[action](event);
  else if (!action) return;
  event.preventDefault();
});

for (const button of document.querySelectorAll("[data-do]")) {
  button.addEventListener("click", (event) => {
    if (frame()) ACTIONS[button.dataset.do](event);
    if (event.detail) stage.focus(); // it was a pointer: keys are for the frame again
  });
}
$("help").addEventListener("click", ACTIONS.help);
// when it is submitted, for the dialog closes later: the next key may have opened it again by then
$("label").addEventListener("submit", () => setLabel($("label-text").value));
$("label").addEventListener("close", () => stage.focus());
$("label-cancel").addEventListener("click", () => $("label").close("cancel"));
$("keys").addEventListener("close", () => stage.focus());
onCommit(() => changed());

// ---- drawing

onChange(() => {
  if (frame() && S.chosen !== null && !chosen()) choose();
  draw();
  drawStrip(open);
  drawWork();
  document.querySelector("[data-do=draw]").setAttribute("aria-pressed", String(S.drawing));
  document.querySelector("[data-do=undo]").disabled = !S.canUndo;
  $("labels").replaceChildren(...S.labels.map((label, place) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const key = document.createElement("kbd");
    key.textContent = place + 1;
    button.type = "button";
    button.append(key, label);
    button.addEventListener("click", () => { setLabel(label); stage.focus(); });
    item.append(button);
    return item;
  }));
});
onSuggested(() => {
  if (frame()?.state !== "waiting") {
    const first = S.order.find((number) => S.frames[number].state === "waiting");
    return first === undefined ? redraw() : open(first);
  }
  choose();
  return redraw();
});

history.replaceState(null, "", "/"); // the secret is in a cookie now, and need not be seen
setTheme(matchMedia("(prefers-color-scheme: dark)").matches);
load().then(() => {
  const first = S.order.find((number) => S.frames[number].state === "waiting") ?? S.order[0];
  open(first ?? -1);
  watch();
  stage.focus();
}).catch((error) => notice(error.message, "bad"));
