import {
  arrow, at, calm, clamp, colour, dot, fixed, frequencies, handle, painter, percent, plot, polyline, range, rotate, signed, speaker, stage, svg,
  tag, text, track, watch, word, write,
} from "./common.js";

// ---- mathematics (equal to hero.py) ----

export const LAST = 64; // positions run from 0 to here
export const THETA = frequencies(8, 100); // radians per token
export const WORD = [1, 0, 1, 0, 1, 0, 1, 0];

export function agreements(m, n) {
  const q = rotate(WORD, m, THETA), k = rotate(WORD, n, THETA);
  return THETA.map((_, i) => dot(q.slice(2 * i, 2 * i + 2), k.slice(2 * i, 2 * i + 2)));
}

export function score(offset) {
  return agreements(offset, 0).reduce((sum, value) => sum + value, 0);
}

// ---- the picture (equal to hero.py) ----

const LOW = -2.2, HIGH = 4.4; // the score's axis
const TOP = 14, TALL = 142; // the plot's box, px

const rail = (position) => 10 + 80 * position / LAST; // percent of the width
const offsetRail = (offset) => 10 + 40 * (offset + LAST) / LAST;

function chip(position, y, role, name) {
  const box = { x: -32, y: -20, width: 64, height: 40, rx: 10, fill: colour(name) };
  const middle = { "text-anchor": "middle", fill: colour("paper") };
  return at(
    percent(rail(position)), y,
    tag("rect", box),
    text(0, -3, role, { ...middle, "font-weight": 600, "font-size": 14 }),
    text(0, 13, `at ${fixed(position, 0)}`, { ...middle, "font-size": 12 }),
  );
}

function strip(m, n) {
  const rails = [24, 120].map((y) =>
    tag("line", { x1: "10%", x2: "90%", y1: y, y2: y, stroke: colour("grid"), "stroke-width": 4, "stroke-linecap": "round" }));
  const ticks = range(0, LAST, 16).map((p) =>
    text(percent(rail(p)), 160, fixed(p, 0), { "text-anchor": "middle", fill: colour("muted"), "font-size": 12 }));
  const rod = { x1: percent(rail(m)), y1: 24, x2: percent(rail(n)), y2: 120, stroke: colour("score"), "stroke-width": 3 };
  const grip = { x: -58, y: -15, width: 116, height: 30, rx: 15, fill: colour("paper"), stroke: colour("score"), "stroke-width": 2 };
  const offset = text(0, 5, `‹ offset ${signed(m - n, 0)} ›`, { "text-anchor": "middle", fill: colour("score"), "font-weight": 600 });
  const title = `A text of ${LAST} tokens. The query stands at ${fixed(m, 0)}, the key at ${fixed(n, 0)}, so their offset is ${signed(m - n, 0)}.`;
  return svg(
    "100%", 168, title, {},
    ...rails, ...ticks, tag("line", rod),
    chip(m, 24, "query", "q"), chip(n, 120, "key", "k"),
    at(percent(rail((m + n) / 2)), 72, tag("rect", grip), offset),
  );
}

function dial(i, m, n) {
  const x = 80, y = 72, radius = 62;
  const turnQ = m * THETA[i], turnK = n * THETA[i], full = 2 * Math.PI;
  const between = turnQ - turnK - full * Math.round((turnQ - turnK) / full);
  const around = (a, r) => [x + r * Math.cos(a), y - r * Math.sin(a)];
  const wedge = [[x, y], ...range(0, 24, 1).map((j) => around(turnK + between * j / 24, 26))];
  const agree = signed(Math.cos(between), 2), tokens = fixed(full / THETA[i], 0);
  const degrees = fixed(Math.abs(between) * 180 / Math.PI, 0);
  const title = `A pair of arrows that turns once in ${tokens} tokens: the angle between query and key is ${degrees} degrees, they add ${agree}.`;
  const middle = { "text-anchor": "middle" };
  return svg(
    160, 190, title, {},
    tag("circle", { cx: x, cy: y, r: radius + 6, fill: "none", stroke: colour("grid"), "stroke-width": 1.5 }),
    tag("line", { x1: x + radius + 1, y1: y, x2: x + radius + 11, y2: y, stroke: colour("muted"), "stroke-width": 1.5 }),
    polyline(wedge, { fill: colour("score"), "fill-opacity": 0.25 }),
    polyline(wedge.slice(1), { stroke: colour("score"), "stroke-width": 2 }),
    arrow(x, y, ...around(turnK, radius), "k", 6, {}),
    arrow(x, y, ...around(turnQ, radius), "q", 3, {}),
    text(x, 160, `one turn in ${tokens} tokens`, { ...middle, fill: colour("muted"), "font-size": 12 }),
    text(x, 182, agree, { ...middle, fill: colour("score"), "font-size": 17, "font-weight": 600 }),
  );
}

function curve(m, n) {
  const offset = m - n, value = score(offset);
  const height = (level) => TOP + TALL * (HIGH - level) / (HIGH - LOW);
  const points = range(-4 * LAST, 4 * LAST, 1).map((o) => [o / 4, -score(o / 4)]);
  const line = { stroke: colour("score"), "stroke-width": 2, "vector-effect": "non-scaling-stroke" };
  const levels = [-2, 0, 2, 4].map((level) =>
    tag("line", { x1: "10%", x2: "90%", y1: height(level), y2: height(level), stroke: colour("grid") }) +
    text("9%", height(level) + 4, fixed(level, 0), { "text-anchor": "end", fill: colour("muted"), "font-size": 12 }));
  const ticks = range(-LAST, LAST, 32).map((o) =>
    text(percent(offsetRail(o)), 174, o ? signed(o, 0) : "0", { "text-anchor": "middle", fill: colour("muted"), "font-size": 12 }));
  const x = percent(offsetRail(offset));
  const title = `Score by offset: four waves added, highest at offset 0. At offset ${signed(offset, 0)} the score is ${fixed(value, 2)}.`;
  const [side, anchor] = offset < 32 ? [12, "start"] : [-12, "end"];
  const halo = { stroke: colour("paper"), "stroke-width": 5, "stroke-linejoin": "round", "paint-order": "stroke" };
  return svg(
    "100%", 182, title, {},
    ...levels, ...ticks,
    tag("line", { x1: x, x2: x, y1: TOP, y2: TOP + TALL, stroke: colour("score"), "stroke-dasharray": "3 4" }),
    plot("10%", TOP, "80%", TALL, -LAST, LAST, LOW, HIGH, polyline(points, line)),
    at(
      x, height(value),
      tag("circle", { r: 7, fill: colour("score"), stroke: colour("paper"), "stroke-width": 2 }),
      text(side, -8, `score ${fixed(value, 2)}`, { "text-anchor": anchor, "font-weight": 600, "font-size": 14, ...halo }),
    ),
  );
}

const readout = (m, n) => `query at ${fixed(m, 0)}, key at ${fixed(n, 0)}: offset ${signed(m - n, 0)}, score ${fixed(score(m - n), 2)}`;
const dials = (m, n) => THETA.map((_, i) => dial(i, m, n)).join("");

export function picture({ m, n }) {
  const lead = { style: "margin:4px 0 14px" };
  const caption = { style: "margin:6px 0 0;text-align:center" };
  return [
    tag("p", { style: "margin:0;font-size:125%;font-weight:600" }, "Move both words, and the score stays put"),
    tag("p", lead, "A word is four arrows, and its position turns them: some fast, some slowly. The score between a ",
      word("q", "query"), " and a ", word("k", "key"), " adds up how well their arrows agree."),
    track("strip", strip(m, n)),
    tag("div", { "data-slot": "dials", style: "text-align:center" }, dials(m, n)),
    tag("p", caption, "The four numbers added are the ", word("score", "score"), ". Only the offset, query − key, matters:"),
    track("curve", curve(m, n)),
    tag("p", { "data-slot": "readout", style: "text-align:center" }, readout(m, n)),
  ].join("");
}

// ---- the living figure ----

const HINT = "Drag a word, or the offset to move both. With keys: arrows, and Shift with an arrow for both.";
const GLIDE = 180; // ms from one whole position to the next

function render({ model, el }) {
  const wanted = () => ({ m: model.get("m"), n: model.get("n") });
  const { root, slot } = stage(el, picture(wanted()), HINT);
  const say = speaker(root);
  let shown = wanted(), said = wanted(), held = false, glide = null;

  const request = painter(root, (now) => {
    if (glide) {
      const t = clamp((now - glide.start) / GLIDE, 0, 1), to = wanted();
      shown = t < 1 ? { m: glide.m + (to.m - glide.m) * t, n: glide.n + (to.n - glide.n) * t } : to;
      if (t === 1) glide = null;
    }
    const { m, n } = shown, at = wanted();
    slot("strip").innerHTML = strip(m, n);
    slot("dials").innerHTML = dials(m, n);
    slot("curve").innerHTML = curve(m, n);
    slot("readout").textContent = readout(at.m, at.n);
    const words = `query at ${at.m}, key at ${at.n}`;
    placeQ(percent(rail(m)), 24, { now: at.m, min: 0, max: LAST, words });
    placeK(percent(rail(n)), 120, { now: at.n, min: 0, max: LAST, words });
    placeBoth(percent(rail((m + n) / 2)), 72, { now: Math.min(at.m, at.n), min: 0, max: LAST - Math.abs(at.m - at.n), words });
    return glide !== null;
  });

  // The arrows follow a finger between whole positions; the model holds whole positions only.
  function settle() {
    if (calm()) shown = wanted();
    else glide = { ...shown, start: performance.now() };
    request();
  }
  function changed() {
    const { m, n } = wanted(), offset = signed(m - n, 0), value = fixed(score(m - n), 2);
    if (m - n === said.m - said.n) say(`Both moved by ${signed(m - said.m, 0)}: the offset is still ${offset}, the score still ${value}.`);
    else say(`Offset ${offset}: the score went from ${fixed(score(said.m - said.n), 2)} to ${value}.`);
    if (!held) settle();
  }

  // Move the named words by `by` from where they stood, as far as the text reaches.
  function reach(from, keys, by) {
    const low = Math.max(...keys.map((key) => -from[key])), high = Math.min(...keys.map((key) => LAST - from[key]));
    return clamp(by, low, high);
  }
  const moved = (from, keys, by) => ({ ...from, ...Object.fromEntries(keys.map((key) => [key, from[key] + by])) });
  const steer = (keys) => ({
    grab: () => { held = true; glide = null; said = wanted(); return said; },
    move(from, fraction) {
      const by = reach(from, keys, fraction * LAST / 0.8);
      shown = moved(from, keys, by);
      write(model, moved(from, keys, Math.round(by)));
      request();
    },
    drop() { held = false; settle(); },
    step(by, shift) {
      const both = shift ? ["m", "n"] : keys;
      said = wanted();
      write(model, moved(said, both, reach(said, both, by)));
    },
    page: 8,
  });
  const track = slot("strip").parentElement;
  const placeQ = handle(track, { label: "Position of the query", width: 72, height: 48, ...steer(["m"]) });
  const placeK = handle(track, { label: "Position of the key", width: 72, height: 48, ...steer(["n"]) });
  const placeBoth = handle(track, { label: "Move both words together", width: 124, height: 44, ...steer(["m", "n"]) });
  const unwatch = watch(model, ["m", "n"], changed);
  request();
  return unwatch;
}

export default { render };
