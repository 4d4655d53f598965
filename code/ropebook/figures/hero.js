import {
  arrow, at, calm, caption, card, clamp, colour, fixed, frequencies, handle, label, level, painter, percent, plot, polyline, range, readout,
  rotate, signed, speaker, stage, svg, tag, text, track, watch, word, write,
} from "./common.js";

// ---- mathematics (equal to hero.py) ----

export const LAST = 64; // positions run from 0 to here
export const THETA = frequencies(8, 100); // radians per token
export const WORD = [1, 0, 1, 0, 1, 0, 1, 0];

export function agreements(m, n) {
  const q = rotate(WORD, m, THETA), k = rotate(WORD, n, THETA);
  return THETA.map((_, i) => q[2 * i] * k[2 * i] + q[2 * i + 1] * k[2 * i + 1]);
}

export function score(offset) {
  return agreements(offset, 0).reduce((sum, value) => sum + value, 0);
}

// ---- the picture (equal to hero.py) ----

const LEFT = 12, WIDE = 76; // where the rails and the plot lie, percent of the width
const QUERY_AT = 24, ROD_AT = 72, KEY_AT = 120; // heights in the strip, px
const LOW = -2.6, HIGH = 4.2; // the score's axis
const TOP = 26, TALL = 140; // the plot's box, px

const rail = (position) => LEFT + WIDE * position / LAST; // percent of the width
const offsetRail = (offset) => LEFT + WIDE * (offset + LAST) / (2 * LAST);

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
  const ends = { x1: percent(LEFT), x2: percent(LEFT + WIDE), stroke: colour("grid"), "stroke-width": 4, "stroke-linecap": "round" };
  const rails = [QUERY_AT, KEY_AT].map((y) => tag("line", { ...ends, y1: y, y2: y }));
  const ticks = range(0, LAST, 16).map((p) => label(percent(rail(p)), KEY_AT + 38, fixed(p, 0), "middle"));
  const rod = { x1: percent(rail(m)), y1: QUERY_AT, x2: percent(rail(n)), y2: KEY_AT, stroke: colour("score"), "stroke-width": 3 };
  const grip = { x: -54, y: -15, width: 108, height: 30, rx: 15, fill: colour("paper"), stroke: colour("score"), "stroke-width": 2 };
  const offset = { "text-anchor": "middle", fill: colour("score"), "font-weight": 600 };
  const about = `The query stands at token ${fixed(m, 0)}, the key at token ${fixed(n, 0)}: their offset is ${signed(m - n, 0)}.`;
  return svg(
    "100%", KEY_AT + 56, "Where the two words stand", about, {},
    ...rails, ...ticks, label("50%", KEY_AT + 53, "position in the text, tokens", "middle"), tag("line", rod),
    chip(m, QUERY_AT, "query", "q"), chip(n, KEY_AT, "key", "k"),
    at(percent(rail((m + n) / 2)), ROD_AT, tag("rect", grip), text(0, 5, `‹ offset ${signed(m - n, 0)} ›`, offset)),
  );
}

function dial(i, m, n) {
  const turnQ = m * THETA[i], turnK = n * THETA[i], full = 2 * Math.PI;
  const between = turnQ - turnK - full * Math.round((turnQ - turnK) / full);
  const around = (a, radius) => [radius * Math.cos(a), -radius * Math.sin(a)];
  const arc = range(0, 24, 1).map((j) => around(turnK + between * j / 24, 30));
  const agree = signed(Math.cos(between), 2), tokens = fixed(full / THETA[i], 0);
  const about = `Query and key stand ${fixed(Math.abs(between) * 180 / Math.PI, 0)} degrees apart and add ${agree}.`;
  const drawing = svg(
    "160", "160", `Arrows that turn once in ${tokens} tokens`, about,
    { viewBox: "-84 -84 168 168", style: "width:100%;max-width:160px;height:auto;overflow:visible" },
    tag("circle", { r: 77, fill: "none", stroke: colour("grid"), "stroke-width": 1.5 }),
    tag("line", { x1: 72, y1: 0, x2: 82, y2: 0, stroke: colour("muted"), "stroke-width": 2 }),
    polyline([[0, 0], ...arc], { fill: colour("score"), "fill-opacity": 0.25 }),
    polyline(arc, { stroke: colour("score"), "stroke-width": 2.5 }),
    arrow(0, 0, ...around(turnK, 70), "k", 7, {}),
    arrow(0, 0, ...around(turnQ, 70), "q", 3.5, {}),
  );
  return tag(
    "div", { style: "flex:1 1 0;max-width:170px;min-width:0;text-align:center;line-height:1.25" },
    drawing,
    tag("div", { style: `margin:4px 0;font-size:12px;color:${colour("muted")}` }, `one turn in ${tokens} tokens`),
    tag("div", { style: `font-size:17px;font-weight:600;font-variant-numeric:tabular-nums;color:${colour("score")}` }, agree),
  );
}

const height = (value) => TOP + TALL * (HIGH - value) / (HIGH - LOW);
const POINTS = range(-4 * LAST, 4 * LAST, 1).map((o) => [o / 4, -score(o / 4)]);
const WAVE = polyline(POINTS, { stroke: colour("score"), "stroke-width": 2, "vector-effect": "non-scaling-stroke" });

function curve(m, n) {
  const offset = m - n, value = score(offset), x = percent(offsetRail(offset));
  const levels = [-2, 0, 2, 4].map((v) => level(LEFT, LEFT + WIDE, height(v), fixed(v, 0)));
  const ticks = range(-LAST, LAST, 32).map((o) => label(percent(offsetRail(o)), TOP + TALL + 14, o ? signed(o, 0) : "0", "middle"));
  const plumb = { x1: x, x2: x, y1: TOP - 6, y2: TOP + TALL, stroke: colour("score"), "stroke-dasharray": "3 4" };
  const anchor = offset < -48 ? "start" : offset > 48 ? "end" : "middle";
  const about = `Four waves added, highest at offset 0. At offset ${signed(offset, 0)} the score is ${fixed(value, 2)}.`;
  return svg(
    "100%", TOP + TALL + 32, "Score by offset", about, {},
    ...levels, ...ticks, label("50%", TOP + TALL + 29, "offset, tokens", "middle"), tag("line", plumb),
    text(x, TOP - 11, `score ${fixed(value, 2)}`, { "text-anchor": anchor, "font-weight": 600, "font-size": 14 }),
    plot(percent(LEFT), TOP, percent(WIDE), TALL, -LAST, LAST, LOW, HIGH, WAVE),
    at(x, height(value), tag("circle", { r: 7.5, fill: colour("score"), stroke: colour("paper"), "stroke-width": 2 })),
  );
}

const dials = (m, n) => THETA.map((_, i) => dial(i, m, n)).join("");
const numbers = (m, n) => `query at ${fixed(m, 0)}, key at ${fixed(n, 0)}: offset ${signed(m - n, 0)}, score ${fixed(score(m - n), 2)}`;

export function picture({ m, n }) {
  return card(
    "Move one word. Then move both.",
    ["A word is four arrows. At position 0 all point right; each token further on turns them, some fast, some slowly. " +
      "The score between a ", word("q", "query"), " and a ", word("k", "key"), " adds up how well their arrows agree."],
    track("strip", strip(m, n)),
    tag("div", { "data-slot": "dials", style: "display:flex;justify-content:center;gap:8px" }, dials(m, n)),
    caption("They add up to the ", word("score", "score"), ". The curve shows it for every offset, query − key:"),
    track("curve", curve(m, n)),
    readout(numbers(m, n)),
  );
}

// ---- the living figure ----

const HINT = "Drag a word, or drag the offset to move both. Arrow keys work too.";
const GLIDE = 180; // ms from one whole position to the next

function render({ model, el }) {
  const wanted = () => ({ m: model.get("m"), n: model.get("n") });
  const { root, slot, status } = stage(el, picture(wanted()), "strip", HINT);
  let shown = wanted(), said = wanted(), held = false, glide = null;

  const say = speaker(status, () => {
    const { m, n } = wanted(), { m: m0, n: n0 } = said, value = fixed(score(m - n), 2);
    said = { m, n };
    if (m === m0 && n === n0) return null;
    if (m - n === m0 - n0) return `Both moved by ${signed(m - m0, 0)}: offset still ${signed(m - n, 0)}, score still ${value}.`;
    return `Offset now ${signed(m - n, 0)}: the score went from ${fixed(score(m0 - n0), 2)} to ${value}.`;
  });

  // Between two whole positions the arrows glide, or follow the finger; the model holds whole positions only.
  const request = painter(root, (time) => {
    const to = wanted();
    if (glide) {
      const t = clamp((time - glide.start) / GLIDE, 0, 1);
      shown = t < 1 ? { m: glide.m + (to.m - glide.m) * t, n: glide.n + (to.n - glide.n) * t } : to;
      if (t === 1) glide = null;
    }
    const { m, n } = shown;
    slot("strip").innerHTML = strip(m, n);
    slot("dials").innerHTML = dials(m, n);
    slot("curve").innerHTML = curve(m, n);
    slot("readout").textContent = numbers(to.m, to.n);
    const words = `query at ${to.m}, key at ${to.n}`;
    placeQuery(percent(rail(m)), QUERY_AT, { now: to.m, min: 0, max: LAST, words });
    placeKey(percent(rail(n)), KEY_AT, { now: to.n, min: 0, max: LAST, words });
    placeRod(percent(rail((m + n) / 2)), ROD_AT, { now: Math.min(to.m, to.n), min: 0, max: LAST - Math.abs(to.m - to.n), words });
    return glide !== null;
  });
  function settle() {
    if (calm()) shown = wanted();
    else glide = { ...shown, start: performance.now() };
    request();
  }

  // Move the words named by `keys` by `by` tokens from where they stood, as far as the text reaches.
  function reach(from, keys, by) {
    const low = Math.max(...keys.map((key) => -from[key])), high = Math.min(...keys.map((key) => LAST - from[key]));
    return clamp(by, low, high);
  }
  const moved = (from, keys, by) => ({ ...from, ...Object.fromEntries(keys.map((key) => [key, from[key] + by])) });
  const steer = (keys) => ({
    page: 8,
    grab() {
      held = true;
      glide = null;
      return wanted();
    },
    move(from, fraction) {
      const by = reach(from, keys, fraction * LAST * 100 / WIDE);
      shown = moved(from, keys, by);
      write(model, moved(from, keys, Math.round(by)));
      request();
    },
    drop() {
      held = false;
      settle();
    },
    step(by, shift) {
      const which = shift ? ["m", "n"] : keys, from = wanted();
      write(model, moved(from, which, reach(from, which, by)));
    },
  });
  const ground = slot("strip").parentElement;
  const placeQuery = handle(ground, { label: "Position of the query", width: 72, height: 46, ...steer(["m"]) });
  const placeRod = handle(ground, { label: "Move both words together", width: 112, height: 44, ...steer(["m", "n"]) });
  const placeKey = handle(ground, { label: "Position of the key", width: 72, height: 46, ...steer(["n"]) });
  const unwatch = watch(model, ["m", "n"], () => {
    say();
    if (!held) settle();
  });
  request();
  return unwatch;
}

export default { render };
