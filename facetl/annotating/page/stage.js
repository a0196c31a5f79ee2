// The frame and its boxes: drawn as SVG over the picture, moved by pointers of any kind.

import { S, chosen, frame, isDoubtful, newId, redraw } from "./state.js";

const $ = (id) => document.getElementById(id);
const stage = $("stage");
const svg = $("boxes");
const view = { zoom: 1, x: 0, y: 0, scale: 1 };
const pointers = new Map();
const SIDES = [[0, 0], [1, 0], [2, 0], [0, 1], [2, 1], [0, 2], [1, 2], [2, 2]];
const CURSORS = ["nwse", "ns", "nesw", "ew", "ew", "nesw", "ns", "nwse"];
let gesture = null; // what the pointer that is down does
let corner = null; // the first of two clicks
let commit = () => {};
let shown = -1;

export const onCommit = (listener) => { commit = listener; };

function make(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
const around = ([x1, y1, x2, y2]) => ({ x: x1, y: y1, width: x2 - x1, height: y2 - y1 });

export function draw() {
  const record = frame();
  $("sheet").hidden = !record;
  if (!record) return;
  const [height, width] = record.size_hw;
  if (shown !== S.at) {
    shown = S.at;
    $("picture").src = `frames/${S.at}`;
    Object.assign(view, { zoom: 1, x: 0, y: 0 });
    cancel();
  }
  view.scale = Math.min(stage.clientWidth / width, stage.clientHeight / height);
  Object.assign($("sheet").style, { width: `${width * view.scale}px`, height: `${height * view.scale}px` });
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  place();
  const pixel = 1 / (view.scale * view.zoom);
  const parts = [];
  for (const box of [...record.boxes].sort((a, b) => (a.id === S.chosen) - (b.id === S.chosen))) {
    const kind = `box${isDoubtful(box) ? " doubtful" : ""}${box.id === S.chosen ? " chosen" : ""}`;
    parts.push(make("rect", { ...around(box.corners), class: "halo" }));
    parts.push(make("rect", { ...around(box.corners), class: kind, "data-id": box.id }));
    const words = [box.label, isDoubtful(box) ? (box.score === null ? "?" : `${Math.round(100 * box.score)} %`) : ""];
    if (words.some(Boolean)) {
      const y = box.corners[1] > 18 * pixel ? box.corners[1] - 5 * pixel : box.corners[3] + 15 * pixel;
      const text = make("text", { x: box.corners[0], y, "font-size": 13 * pixel });
      text.append(words.filter(Boolean).join("  "));
      parts.push(text);
    }
    if (box.id === S.chosen) parts.push(...grips(box, pixel));
  }
  if (gesture?.corners) parts.push(make("rect", { ...around(gesture.corners), class: "new" }));
  else if (corner) parts.push(make("circle", { cx: corner[0], cy: corner[1], r: 5 * pixel, class: "grip" }));
  svg.replaceChildren(...parts);
  stage.classList.toggle("drawing", S.drawing);
}

function grips({ corners }, pixel) {
  const coarse = matchMedia("(pointer: coarse)").matches;
  const xs = [corners[0], (corners[0] + corners[2]) / 2, corners[2]];
  const ys = [corners[1], (corners[1] + corners[3]) / 2, corners[3]];
  const reach = (coarse ? 20 : 9) * pixel;
  return SIDES.flatMap(([i, j], side) => {
    const dot = make("circle", { cx: xs[i], cy: ys[j], r: (coarse ? 7 : 4.5) * pixel, class: "grip" });
    const grab = make("circle", { cx: xs[i], cy: ys[j], r: reach, class: "grab", "data-side": side });
    grab.style.cursor = `${CURSORS[side]}-resize`;
    return [dot, grab];
  });
}

function place() {
  const [height, width] = frame().size_hw;
  const fit = (free, offset, size) => {
    const left = free - size * view.scale * view.zoom;
    return left >= 0 ? left / 2 : Math.min(0, Math.max(left, offset));
  };
  view.x = fit(stage.clientWidth, view.x, width);
  view.y = fit(stage.clientHeight, view.y, height);
  $("sheet").style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.zoom})`;
}

/** Zoom by a factor, so that what is under a point of the window stays there. */
export function zoomBy(factor, clientX, clientY) {
  const edges = stage.getBoundingClientRect();
  const [x, y] = [(clientX ?? edges.left + edges.width / 2) - edges.left, (clientY ?? edges.top + edges.height / 2) - edges.top];
  const zoom = Math.min(16, Math.max(1, view.zoom * factor));
  view.x = x - ((x - view.x) * zoom) / view.zoom;
  view.y = y - ((y - view.y) * zoom) / view.zoom;
  view.zoom = zoom;
  draw();
}

/** Return the pixel of the picture at a point of the window. */
function pixelAt(event) {
  const edges = svg.getBoundingClientRect();
  const [height, width] = frame().size_hw;
  const inside = (value, most) => Math.min(most, Math.max(0, value));
  return [
    inside(Math.round(((event.clientX - edges.left) / edges.width) * width), width),
    inside(Math.round(((event.clientY - edges.top) / edges.height) * height), height),
  ];
}

const between = ([a, b], [c, d]) => [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
const isLarge = ([x1, y1, x2, y2]) => x2 - x1 >= 3 && y2 - y1 >= 3;

export function addBox(corners) {
  const box = { id: newId(), corners, label: null, score: null, origin: null, is_sure: true };
  frame().boxes.push(box);
  S.chosen = box.id;
  S.drawing = false;
  corner = null;
  commit("drawn");
}

export function addInMiddle() {
  const edges = stage.getBoundingClientRect();
  const [x, y] = pixelAt({ clientX: edges.left + edges.width / 2, clientY: edges.top + edges.height / 2 });
  const half = Math.round(Math.min(...frame().size_hw) / (10 * view.zoom));
  addBox([Math.max(0, x - half), Math.max(0, y - half), x + half, y + half]);
}

export function cancel() {
  gesture = corner = null;
}

/** Move the sides of a box that move, by some pixels, inside the frame. */
export function shift(corners, dx, dy, sides = [true, true, true, true]) {
  const [height, width] = frame().size_hw;
  const moved = corners.map((value, i) => (sides[i] ? value + (i % 2 ? dy : dx) : value));
  if (sides.every(Boolean)) {
    const [x, y] = [Math.max(0, -moved[0]) + Math.min(0, width - moved[2]), Math.max(0, -moved[1]) + Math.min(0, height - moved[3])];
    return moved.map((value, i) => value + (i % 2 ? y : x));
  }
  const kept = between([moved[0], moved[1]], [moved[2], moved[3]]).map((v, i) => Math.min(i % 2 ? height : width, Math.max(0, v)));
  return isLarge(kept) ? kept : corners;
}

stage.addEventListener("pointerdown", (event) => {
  if (!frame() || event.button > 0) return;
  stage.focus({ preventScroll: true });
  stage.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, event);
  if (pointers.size > 1) {
    if (gesture?.before && chosen()) chosen().corners = gesture.before;
    gesture = null;
    return draw();
  }
  const at = pixelAt(event);
  const side = event.target.dataset?.side;
  const id = event.target.dataset?.id;
  if (S.drawing) gesture = { from: corner ?? at, second: corner !== null };
  else if (side !== undefined) gesture = { from: at, before: [...chosen().corners], side: Number(side) };
  else if (id !== undefined) {
    S.chosen = Number(id);
    gesture = { from: at, before: [...chosen().corners] };
    redraw();
  } else gesture = { pan: [event.clientX - view.x, event.clientY - view.y] };
  return draw();
});

stage.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (before) pointers.set(event.pointerId, event);
  if (before && pointers.size === 2) return pinch(event, before);
  if (!gesture) return undefined;
  const at = pixelAt(event);
  if (gesture.pan) [view.x, view.y] = [event.clientX - gesture.pan[0], event.clientY - gesture.pan[1]];
  else if (!gesture.before) gesture.corners = between(gesture.from, at);
  else {
    const [dx, dy] = [at[0] - gesture.from[0], at[1] - gesture.from[1]];
    const [i, j] = SIDES[gesture.side] ?? [];
    const sides = gesture.side === undefined ? undefined : [i === 0, j === 0, i === 2, j === 2];
    chosen().corners = shift(gesture.before, dx, dy, sides);
  }
  return draw();
});

function pinch(event, before) {
  const other = [...pointers.values()].find((each) => each.pointerId !== event.pointerId);
  const far = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
  view.x += (event.clientX - before.clientX) / 2;
  view.y += (event.clientY - before.clientY) / 2;
  zoomBy(far(event) / Math.max(1, far(before)), (event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2);
}

function release(event) {
  pointers.delete(event.pointerId);
  const ended = gesture;
  gesture = null;
  if (!ended || event.type === "pointercancel") {
    if (ended?.before && chosen()) chosen().corners = ended.before;
    return draw();
  }
  if (ended.before) {
    if (String(chosen().corners) !== String(ended.before)) commit("changed");
  } else if (!ended.pan) {
    const corners = between(ended.from, pixelAt(event));
    if (isLarge(corners)) addBox(corners);
    else corner = ended.from; // a click: the other corner comes with the next
  }
  return draw();
}
stage.addEventListener("pointerup", release);
stage.addEventListener("pointercancel", release);
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  if (frame()) zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), event.clientX, event.clientY);
}, { passive: false });
new ResizeObserver(() => draw()).observe(stage);
