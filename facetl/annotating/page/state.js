// What the page knows.  The server has the truth: every change goes there at once, one by one, with
// the revision of the frame that was seen; a change that comes too late is given up, and told.

export const S = {
  frames: {}, order: [], edition: 0, labels: [], canUndo: false, project: null,
  at: -1, chosen: null, drawing: false,
};
const listeners = [];
const ids = new Map(); // what boxes drawn here are called by the server
let queue = Promise.resolve();
let waiting = {}; // changes on their way, by frame
let era = 0; // counts conflicts: what was changed before one is not sent after it
let nextId = -1;

export const frame = () => S.frames[S.at];
export const chosen = () => frame()?.boxes.find((box) => box.id === S.chosen);
export const isDoubtful = (box, record = frame()) => !box.is_sure && record.state !== "done";
export const newId = () => nextId--;
export const onChange = (listener) => listeners.push(listener);
export const redraw = () => listeners.forEach((listener) => listener());

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" },
  };
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw Object.assign(new Error("facetl annotate has ended; start it again to resume"), { gone: true });
  }
  const answer = await response.json().catch(() => ({ error: `the server answered ${response.status}` }));
  if (!response.ok) throw Object.assign(new Error(answer.error), { status: response.status });
  return answer;
}

function take(answer) {
  for (const [number, record] of Object.entries(answer.frames)) {
    if (!waiting[number]) S.frames[number] = record;
    else S.frames[number].revision = record.revision;
  }
  S.order = answer.order.filter((number) => S.frames[number]); // those just picked come with the next load
  S.edition = answer.edition;
  S.labels = answer.labels;
  S.canUndo = answer.can_undo;
  S.project = answer.project;
  return answer;
}

export async function load() {
  take(await ask("state"));
}

/** Ask how far the job is, after all that was sent before; look again if others changed things. */
export function pollJob() {
  const poll = async () => {
    const before = S.edition;
    take(await ask("job"));
    if (S.edition !== before) await load();
  };
  const polled = queue.then(poll);
  queue = polled.catch(() => {});
  return polled;
}

/** Send something after all that was sent before; tell what went wrong. */
function send(path, makeBody, complain) {
  const own = era;
  queue = queue.then(async () => {
    if (own !== era) return null;
    try {
      return take(await ask(path, makeBody()));
    } catch (error) {
      era += 1;
      waiting = {};
      if (!error.gone) await load().catch(() => {});
      complain(error.message, error.status === 409);
      redraw();
      return null;
    }
  });
  return queue;
}

/** Send the boxes and the state that a frame has here now. */
export function save(number, complain) {
  const record = S.frames[number];
  const boxes = structuredClone(record.boxes);
  const { state } = record;
  waiting[number] = (waiting[number] ?? 0) + 1;
  const key = (id) => (id < 0 ? (ids.get(id) ?? null) : id);
  send(`frames/${number}`, () => {
    waiting[number] -= 1;
    const told = boxes.map(({ id, corners, label }) => ({ id: key(id), corners, label }));
    return { revision: S.frames[number].revision, state, boxes: told };
  }, complain).then((answer) => {
    const given = answer?.frames[number]?.boxes ?? [];
    boxes.forEach(({ id }, place) => {
      if (id >= 0 || !given[place]) return;
      ids.set(id, given[place].id);
      if (S.chosen === id && !waiting[number]) S.chosen = given[place].id;
    });
    redraw();
  });
}

export const undo = (complain) => send("undo", () => ({ edition: S.edition }), complain);
export const command = (path, body, complain) => send(path, () => body, complain);
