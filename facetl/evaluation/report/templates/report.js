"use strict";
// The report's moving parts.  All numbers follow from DATA and STATE; nothing is fetched.

const DATA = JSON.parse(document.getElementById("data").textContent);
const colour = (run) => `var(--run-${run % 6})`;
const [FIRST, PAGE] = [12, 60]; // frames at first, and more at each push
const DASHES = ["none", "9 4", "2 4", "12 3 2 3", "5 3", "1 3"];
const VERDICTS = { background: "no face annotated", duplicate: "second box", localisation: "too far off" };
const dash = (run) => `stroke-dasharray: ${DASHES[run % DASHES.length]}`;
const SIDES = ["left", "right"];
const STATE = {
  run: { left: DATA.left, right: DATA.right },
  threshold: DATA.runs.map((run) => run.threshold),
  filter: "all", label: "", size: "", sort: "mistakes", view: "pair", shown: FIRST, frames: [],
};

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
const alone = DATA.left === DATA.right;

function make(tag, attributes = {}, ...children) {
  const svg = ["svg", "rect", "text", "title", "path", "line", "circle", "g"].includes(tag);
  const element = svg
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// ---- numbers

/** What a run finds in a frame at its threshold: kept detections, faces hit, false alarms. */
function look(frame, run) {
  const found = frame.found[run];
  const kept = found.boxes.map((_, i) => i).filter((i) => found.scores[i] >= STATE.threshold[run]);
  const hits = kept.filter((i) => found.faces[i] >= 0);
  return {
    kept, hits,
    alarms: kept.filter((i) => found.faces[i] < 0),
    faces: new Set(hits.map((i) => found.faces[i])),
    lowest: hits.length ? Math.min(...hits.map((i) => found.scores[i])) : Infinity,
  };
}

const side = (box) => Math.sqrt((box[2] - box[0]) * (box[3] - box[1]));
const fitsSize = (box) => {
  if (!STATE.size) return true;
  const [low, high] = STATE.size.split(" ").map(Number);
  return side(box) >= low && side(box) < high;
};
const chosen = (frame, face) =>
  fitsSize(frame.boxes[face]) && (!STATE.label || frame.labels[face] === STATE.label);

/** How a frame stands in everything that can be sorted and filtered by. */
function assess(frame) {
  const [left, right] = [look(frame, STATE.run.left), look(frame, STATE.run.right)];
  const faces = frame.boxes.map((_, i) => i).filter((i) => chosen(frame, i));
  const count = (test) => faces.filter(test).length;
  const found = frame.found[STATE.run.right];
  const misses = count((i) => !right.faces.has(i));
  const alarms = right.alarms.filter((i) => fitsSize(found.boxes[i])).length;
  return {
    frame, misses, alarms,
    faces: faces.length,
    hits: count((i) => right.faces.has(i)),
    mistakes: misses + alarms,
    gained: alone ? 0 : count((i) => right.faces.has(i) && !left.faces.has(i)),
    lost: alone ? 0 : count((i) => left.faces.has(i) && !right.faces.has(i)),
    smallest: faces.length ? Math.min(...faces.map((i) => side(frame.boxes[i]))) : Infinity,
    lowest: right.lowest,
  };
}

const FILTERS = {
  all: () => true,
  misses: (each) => each.misses > 0,
  false_alarms: (each) => each.alarms > 0,
  gained: (each) => each.gained > 0,
  lost: (each) => each.lost > 0,
};
const TALLIES = {
  all: () => 1,
  misses: (each) => each.misses,
  false_alarms: (each) => each.alarms,
  gained: (each) => each.gained,
  lost: (each) => each.lost,
};
const ORDERS = {
  mistakes: (each) => -each.mistakes,
  name: () => 0,
  misses: (each) => -each.misses,
  false_alarms: (each) => -each.alarms,
  gained: (each) => -each.gained,
  lost: (each) => -each.lost,
  smallest: (each) => each.smallest,
  lowest: (each) => each.lowest,
};

/** Precision, recall and counts of a run at a threshold, over all frames. */
function measure(run, threshold) {
  const { scores, hits } = DATA.runs[run];
  const kept = scores.filter((score) => score >= threshold).length; // they fall
  const hit = hits.slice(0, kept).reduce((sum, each) => sum + each, 0);
  return {
    precision: kept ? hit / kept : NaN,
    recall: DATA.faces ? hit / DATA.faces : NaN,
    f1: kept + DATA.faces ? (2 * hit) / (kept + DATA.faces) : NaN,
    hits: hit,
    missed: DATA.faces - hit,
    false_alarms: kept - hit,
  };
}

const say = (figure, value) =>
  ["hits", "missed", "false_alarms"].includes(figure)
    ? String(value)
    : Number.isNaN(value) ? "–" : value.toFixed(3);

// ---- thresholds and curves

/** A run's thresholds that differ in what they keep, rising: 0, then every score. */
const steps = (run) => (run.steps ??= [run.low, ...new Set([...run.scores].reverse())]);

/** The step of a threshold: the first that keeps no more than it does. */
function stepOf(run, threshold) {
  const place = steps(run).findIndex((score) => score >= threshold);
  return place < 0 ? steps(run).length - 1 : place;
}

/** A threshold in as few digits as tell it from its neighbours. */
function tellThreshold(run, threshold) {
  const place = stepOf(run, threshold);
  const near = [place - 1, place + 1].map((each) => steps(run)[each]).filter((each) => each !== undefined);
  for (let digits = 3; digits < 9; digits += 1) {
    if (near.every((each) => each.toFixed(digits) !== threshold.toFixed(digits))) return threshold.toFixed(digits);
  }
  return String(threshold);
}

function showSide(name) {
  const run = STATE.run[name];
  const place = document.getElementById(name);
  const told = DATA.runs[run];
  const slider = $(".threshold", place);
  [slider.min, slider.max] = [0, steps(told).length - 1];
  slider.value = stepOf(told, STATE.threshold[run]);
  slider.setAttribute("aria-valuetext", tellThreshold(told, STATE.threshold[run]));
  $(".exact", place).value = tellThreshold(told, STATE.threshold[run]);
  $(".run", place).value = run;
  const figures = measure(run, STATE.threshold[run]);
  for (const each of $$("[data-figure]", place)) {
    each.textContent = say(each.dataset.figure, figures[each.dataset.figure]);
  }
}

const X = (recall) => 48 + 492 * recall;
const Y = (precision) => 352 - 332 * precision;

function drawCurves() {
  const picture = $("#curves");
  const marks = [];
  for (const tick of [0, 0.2, 0.4, 0.6, 0.8, 1]) {
    const text = tick.toFixed(1);
    marks.push(
      make("line", { class: "grid", x1: X(0), x2: X(1), y1: Y(tick), y2: Y(tick) }),
      make("text", { x: X(0) - 8, y: Y(tick) + 4, "text-anchor": "end" }, text),
      make("text", { x: X(tick), y: Y(0) + 18, "text-anchor": "middle" }, text),
    );
  }
  marks.push(
    make("text", { x: X(0.5), y: 392, "text-anchor": "middle" }, "recall"),
    make("text", { transform: "translate(12 186) rotate(-90)", "text-anchor": "middle" }, "precision"),
  );
  DATA.runs.forEach((run, i) => {
    const points = curveOf(run).map(([r, p]) => `${X(r).toFixed(1)},${Y(p).toFixed(1)}`);
    const style = `stroke: ${colour(i)}; ${dash(i)}`;
    if (points.length) marks.push(make("path", { d: `M${points.join("L")}`, style }));
    marks.push(
      make("line", { x1: 64, x2: 88, y1: 330 - 18 * i, y2: 330 - 18 * i, style: `${style}; stroke-width: 3` }),
      make("text", { x: 94, y: 334 - 18 * i }, run.name),
    );
  });
  picture.replaceChildren(...marks, make("g", { id: "points" }));
}

/** Recall and precision wherever a threshold can cut. */
function curveOf(run) {
  const points = [];
  let hits = 0;
  run.hits.forEach((hit, i) => {
    hits += hit;
    if (run.scores[i + 1] !== run.scores[i] && DATA.faces) points.push([hits / DATA.faces, hits / (i + 1)]);
  });
  return points;
}

function drawPoints() {
  const runs = [...new Set(SIDES.map((name) => STATE.run[name]))];
  const told = [];
  const dots = runs.flatMap((run) => {
    const { precision, recall } = measure(run, STATE.threshold[run]);
    if (Number.isNaN(precision) || Number.isNaN(recall)) return [];
    told.push(`${DATA.runs[run].name}: precision ${precision.toFixed(3)}, recall ${recall.toFixed(3)}`);
    const style = `fill: ${colour(run)}; stroke: var(--paper); stroke-width: 2`;
    return [make("circle", { cx: X(recall), cy: Y(precision), r: 7, style })];
  });
  $("#points").replaceChildren(...dots);
  $("#curves").setAttribute("aria-label", `Precision against recall. ${told.join("; ")}`);
}

// ---- frames

function rectangle(box, style) {
  const [x, y, right, bottom] = box;
  const place = { x, y, width: Math.max(right - x, 0), height: Math.max(bottom - y, 0) };
  return [make("rect", { ...place, class: "halo" }), make("rect", { ...place, class: style })];
}

/** A sign inside a box, for eyes that don't tell its colour. */
function sign(frame, box, text) {
  const size = Math.max(frame.width / 28, 9);
  return make("text", { class: "sign", x: box[0] + size * 0.25, y: box[1] + size, style: `font-size: ${size}px; stroke-width: ${size / 4}px` }, text);
}

/** What one run finds in a frame, as a drawing over the picture. */
function drawFindings(frame, run, large) {
  const { kept, faces } = look(frame, run);
  const found = frame.found[run];
  const drawing = make("svg", { viewBox: `0 0 ${frame.width} ${frame.height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  frame.ignored.forEach((box) => drawing.append(...rectangle(box, "ignored")));
  frame.boxes.forEach((box, i) => {
    drawing.append(...rectangle(box, faces.has(i) ? "truth" : "miss"));
    if (!faces.has(i)) drawing.append(sign(frame, box, "?"));
  });
  for (const i of kept) {
    const hit = found.faces[i] >= 0;
    drawing.append(...rectangle(found.boxes[i], hit ? "hit" : "alarm"));
    if (!hit) drawing.append(sign(frame, found.boxes[i], "✕"));
    if (large) {
      const text = found.scores[i].toFixed(2) + (hit ? "" : `, ${VERDICTS[found.verdicts[i]]}`);
      const size = frame.width / 55;
      const y = Math.max(found.boxes[i][1] - size / 3, size);
      const x = Math.min(Math.max(found.boxes[i][0], 2), frame.width - size * text.length * 0.6);
      drawing.append(make("text", { x, y, style: `font-size: ${size}px; stroke-width: ${size / 4}px` }, text));
    }
  }
  if (large) {
    frame.boxes.forEach((box, i) => {
      if (!frame.labels[i]) return;
      const size = frame.width / 55;
      drawing.append(make("text", { x: box[0], y: Math.min(box[3] + size, frame.height - 2), style: `font-size: ${size}px; stroke-width: ${size / 4}px` }, frame.labels[i]));
    });
  }
  return drawing;
}

function describe(frame, run) {
  const { hits, alarms } = look(frame, run);
  const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
  return `${frame.name}, ${DATA.runs[run].name}: ${plural(frame.boxes.length, "face")}, ` +
    `${hits.length} found, ${plural(alarms.length, "false alarm")}`;
}

function makeStage(frame, runs, large) {
  const text = runs.map((run) => describe(frame, run)).join("; ");
  const picture = frame.picture
    ? make("img", { src: frame.picture, alt: text, loading: "lazy", decoding: "async", width: frame.width, height: frame.height })
    : make("div", { role: "img", "aria-label": `${text}; the picture was left out` });
  picture.style.aspectRatio = `${frame.width} / ${frame.height}`;
  const stage = make("div", { class: "stage" }, picture);
  const drawings = runs.map((run) => drawFindings(frame, run, large));
  const titles = runs.map((run) => make("span", { class: "title" }, DATA.runs[run].name));
  stage.append(...drawings, ...(alone ? [] : titles));
  if (runs.length === 2) {
    SIDES.forEach((name, i) => { drawings[i].classList.add(name); titles[i].classList.add(name); });
    const swipe = make("input", { class: "swipe", type: "range", min: 0, max: 100, value: 50, "aria-label": "How much of the left run is seen" });
    const split = () => stage.style.setProperty("--split", `${swipe.value}%`);
    swipe.addEventListener("input", split);
    for (const event of ["click", "keydown"]) swipe.addEventListener(event, (e) => e.stopPropagation());
    dragWith(stage, swipe);
    split();
    stage.append(make("div", { class: "divider" }), swipe);
  }
  return stage;
}

/** Let a finger or the mouse move the divider anywhere on the picture. */
function dragWith(stage, swipe) {
  let dragged = false;
  stage.addEventListener("dragstart", (event) => event.preventDefault());
  stage.addEventListener("pointerdown", () => { dragged = false; });
  stage.addEventListener("pointermove", (event) => {
    if (!event.buttons || event.target === swipe) return;
    const { left, width } = stage.getBoundingClientRect();
    swipe.value = (100 * (event.clientX - left)) / width;
    swipe.dispatchEvent(new Event("input"));
    dragged = true;
  });
  stage.addEventListener("click", (event) => { if (dragged) event.stopPropagation(); });
}

function makeStages(frame, large) {
  const { left, right } = STATE.run;
  const layouts = { pair: [[left], [right]], swipe: [[left, right]], left: [[left]], right: [[right]] };
  const view = alone ? "right" : STATE.view;
  return make("div", { class: "stages", "data-view": view },
    ...layouts[view].map((runs) => makeStage(frame, runs, large)));
}

function tellCard(each) {
  const parts = [`${each.hits}/${each.faces}`];
  if (each.alarms) parts.push(`${each.alarms} false`);
  if (each.gained) parts.push(`+${each.gained}`);
  if (each.lost) parts.push(`−${each.lost}`);
  return parts.join(" · ");
}

function makeCard(each) {
  const card = make("article", { class: "card", role: "listitem", tabindex: -1, "data-name": each.frame.name });
  fillCard(card, each);
  card.addEventListener("click", () => enlarge(card));
  return card;
}

function fillCard(card, each) {
  card.setAttribute("aria-label", SIDES.map((name) => describe(each.frame, STATE.run[name])).filter((t, i, all) => all.indexOf(t) === i).join("; "));
  card.replaceChildren(
    make("header", {},
      make("span", { class: "name", title: each.frame.name }, each.frame.name),
      make("span", { class: "tallies" }, tellCard(each))),
    makeStages(each.frame, false));
}

/** The frames that have a face, or at least a false alarm, of the chosen kind. */
function consider() {
  const all = DATA.frames.map(assess);
  if (STATE.label) return all.filter((each) => each.faces);
  return STATE.size ? all.filter((each) => each.faces || each.alarms) : all;
}

/** Choose, order and show the frames anew. */
function hang() {
  const some = consider();
  tally(some);
  const key = ORDERS[STATE.sort];
  STATE.frames = some.filter(FILTERS[STATE.filter])
    .map((each, i) => [key(each), i, each])
    .sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1] - b[1]))
    .map(([, , each]) => each);
  showCards();
}

function showCards() {
  const visible = STATE.frames.slice(0, STATE.shown);
  const cards = visible.map(makeCard);
  if (cards.length) cards[0].tabIndex = 0;
  $("#cards").replaceChildren(...cards);
  const left = STATE.frames.length - visible.length;
  $("#more").hidden = left <= 0;
  $("#more").textContent = `Show ${Math.min(left, PAGE)} more of ${left}`;
  const out = DATA.frames_left_out ? ` (${DATA.frames_left_out} more, with the fewest mistakes, are not on this page)` : "";
  $("#shown").textContent = `${STATE.frames.length} of ${DATA.frames.length} frames${out}`;
}

function tally(assessed) {
  for (const place of $$(".tally")) {
    const count = TALLIES[place.dataset.filter];
    place.textContent = assessed.reduce((sum, each) => sum + count(each), 0);
  }
}

/** The threshold moved: numbers and boxes follow at once, the choice of frames when it rests. */
function follow() {
  SIDES.forEach(showSide);
  drawPoints();
  tally(consider());
  const byName = new Map($$("#cards .card").map((card) => [card.dataset.name, card]));
  for (const each of STATE.frames.slice(0, STATE.shown)) {
    const card = byName.get(each.frame.name);
    if (card && onScreen(card)) fillCard(card, assess(each.frame));
  }
}

function onScreen(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return bottom > -200 && top < window.innerHeight + 200;
}

// ---- one frame, enlarged

function enlarge(card, isFromSheet = false) {
  STATE.isFromSheet = isFromSheet;
  const frame = DATA.frames.find((each) => each.name === card.dataset.name);
  const dialog = $("#large");
  dialog.dataset.name = frame.name;
  const heading = make("p", { class: "lead" }, SIDES.map((name) => describe(frame, STATE.run[name]))
    .filter((text, i, all) => all.indexOf(text) === i).join(" — "));
  $(".stage-holder", dialog).replaceChildren(heading, makeStages(frame, true));
  if (!dialog.open) dialog.showModal();
}

/** Back from the enlarged frame to its card. */
function goBack() {
  if (STATE.isFromSheet) return; // the browser goes back to the picture
  const card = $$("#cards .card").find((each) => each.dataset.name === $("#large").dataset.name);
  card?.focus();
}

function step(by) {
  const dialog = $("#large");
  const cards = $$("#cards .card");
  const name = dialog.open ? dialog.dataset.name : document.activeElement?.dataset?.name;
  const place = cards.findIndex((card) => card.dataset.name === name);
  if (place < 0 && dialog.open) return;
  const next = cards[Math.max(0, Math.min(cards.length - 1, place + by))];
  if (!next) return;
  cards.forEach((card) => { card.tabIndex = card === next ? 0 : -1; });
  if (dialog.open) enlarge(next); else next.focus();
}

function press(event) {
  const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName);
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const open = $("#large").open;
  const onCard = event.target.classList?.contains("card");
  if ((open || onCard) && ["ArrowRight", "ArrowLeft"].includes(event.key)) {
    step(event.key === "ArrowRight" ? 1 : -1);
    event.preventDefault();
  } else if (onCard && event.key === "Enter") {
    enlarge(event.target);
    event.preventDefault();
  } else if (event.key === "v" && !alone) {
    const views = $$("#view option").map((option) => option.value);
    choose("view", views[(views.indexOf(STATE.view) + 1) % views.length]);
  }
}

// ---- controls

function choose(what, value) {
  STATE[what] = value;
  STATE.shown = FIRST;
  const control = document.getElementById(what);
  if (control) control.value = value;
  hang();
  const dialog = $("#large");
  if (dialog.open) enlarge({ dataset: dialog.dataset }, STATE.isFromSheet);
}

function setThreshold(name, value) {
  const run = STATE.run[name];
  const { low, high } = DATA.runs[run];
  if (Number.isFinite(value)) STATE.threshold[run] = Math.min(Math.max(value, low), high);
  follow();
}

function connectSide(name) {
  const place = document.getElementById(name);
  const select = $(".run", place);
  DATA.runs.forEach((run, i) => select.append(make("option", { value: i }, run.name)));
  select.addEventListener("change", () => {
    STATE.run[name] = Number(select.value);
    follow();
    hang();
  });
  const slider = $(".threshold", place);
  slider.addEventListener("input", () => {
    setThreshold(name, steps(DATA.runs[STATE.run[name]])[slider.valueAsNumber]);
  });
  slider.addEventListener("change", hang);
  const exact = $(".exact", place);
  exact.addEventListener("change", () => { setThreshold(name, exact.valueAsNumber); hang(); });
  $(".reset", place).addEventListener("click", () => {
    setThreshold(name, DATA.runs[STATE.run[name]].threshold);
    hang();
  });
}

function connectGallery() {
  for (const radio of $$("input[name=filter]")) {
    radio.addEventListener("change", () => choose("filter", radio.value));
  }
  for (const label of DATA.labels) $("#label").append(make("option", { value: label }, label));
  for (const [text, low, high] of [["all", "", ""], ...DATA.sizes]) {
    $("#size").append(make("option", { value: low === "" ? "" : `${low} ${high}` }, text));
  }
  for (const what of ["label", "size", "sort", "view"]) {
    document.getElementById(what).addEventListener("change", (event) => choose(what, event.target.value));
  }
  $("#more").addEventListener("click", () => { STATE.shown += PAGE; showCards(); });
  if (alone) for (const one of $$(".chip:has([value=gained], [value=lost]), option[value=gained], option[value=lost], label:has(#view)")) one.hidden = true;
  if (!DATA.labels.length) $("label:has(#label)").hidden = true;
  document.addEventListener("keydown", press);
  $("#large").addEventListener("close", goBack);
}

/** Let the pictures lead to their frames. */
function connectSheets() {
  const show = (run) => {
    if (SIDES.some((name) => STATE.run[name] === run)) return;
    STATE.run.right = run;
    follow();
    hang();
  };
  const names = new Set(DATA.frames.map((frame) => frame.name));
  for (const button of $$(".cutout")) {
    button.disabled = !names.has(button.dataset.frame);
    button.addEventListener("click", () => {
      show(Number(button.dataset.of));
      enlarge({ dataset: { name: button.dataset.frame } }, true);
    });
  }
  for (const link of $$("[data-choose]")) {
    link.addEventListener("click", () => {
      STATE.run.right = Number(link.dataset.of);
      $(`input[name=filter][value=${link.dataset.choose}]`).checked = true;
      follow();
      choose("filter", link.dataset.choose);
    });
  }
  for (const link of $$('[href="#words"]')) link.addEventListener("click", () => { $("#words").open = true; });
}

function connectTheme() {
  const button = $("#theme");
  const set = (dark) => {
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.textContent = dark ? "Light" : "Dark";
    button.setAttribute("aria-pressed", String(dark));
  };
  const wish = matchMedia("(prefers-color-scheme: dark)");
  set(wish.matches);
  wish.addEventListener("change", (event) => set(event.matches));
  button.addEventListener("click", () => set(document.documentElement.dataset.theme !== "dark"));
}

connectTheme();
SIDES.forEach(connectSide);
connectGallery();
connectSheets();
drawCurves();
follow();
hang();
