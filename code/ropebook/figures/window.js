import {
  OWN_KEYS, at, card, cells, clamp, colour, dot, dots, fixed, follow, frequencies, grouped, handle, normals, num, painter, percent,
  pickable, plot, range, readout, rotate, speaker, stage, svg, tag, text, track, word, write,
} from "./common.js";

// ---- mathematics (equal to window.py) ----

export const LONGEST = 1000000; // the last start, tokens
export const STOPS = [...range(0, 99, 1), ...range(1, 4, 1).flatMap((p) => range(10, 99, 1).map((x) => x * 10 ** p)), LONGEST];
const WORDS = 16, WIDTH = 32; // T and D
export const LAST = WORDS - 1;
const SLOPE = 0.25; // ALiBi's loss of score per token

const normal = normals(9);
const vectors = () => range(1, WORDS, 1).map(() => range(1, WIDTH, 1).map(normal));
export const QUERIES = vectors(), KEYS = vectors();

// The nearest number with `bits` bits after the first, ties to even; the last one is worth 2^least or more, and 2^end is infinity.
// Adding 2^52 times the last bit's worth leaves float64 no room for what comes after it.
function nearest(x, bits, least, end) {
  const power = Math.max(Math.floor(Math.log2(Math.abs(x))) - bits, least), high = 2 ** power / Number.EPSILON;
  const near = Math.abs(x) + high - high;
  return Math.sign(x) * (near < 2 ** end ? near : Infinity);
}

export const FORMATS = {
  float64: (x) => x,
  float32: Math.fround,
  float16: (x) => nearest(x, 10, -24, 16),
  bfloat16: (x) => nearest(x, 7, -133, 128),
};

const waves = (angles) => angles.flatMap((angle) => [Math.sin(angle), Math.cos(angle)]);
const ENCODE = {
  RoPE: (x, angles) => rotate(x, 1, angles),
  sinusoidal: (x, angles) => waves(angles).map((wave, i) => wave + x[i]),
  ALiBi: (x) => x,
  none: (x) => x,
};

export function scores(encoding, format, base, start) {
  const round = FORMATS[format], theta = frequencies(WIDTH, base), positions = range(start, start + LAST, 1).map(round);
  const encoded = (words) => words.map((x, i) => ENCODE[encoding](x, theta.map((rate) => round(positions[i] * rate))));
  const slope = encoding === "ALiBi" ? SLOPE : 0, q = encoded(QUERIES), k = encoded(KEYS);
  const bias = (i, j) => slope && slope * Math.abs(positions[i] - positions[j]);
  return q.map((x, i) => k.map((y, j) => dot(x, y) / Math.sqrt(WIDTH) - bias(i, j)));
}

export const minus = (after, before) => after.map((row, i) => row.map((value, j) => value - before[i][j]));

export function largest(matrix) {
  const finite = matrix.flat().filter(Number.isFinite).map(Math.abs);
  return finite.length ? Math.max(...finite) : NaN;
}

// Where a start lies between its neighbours among the stops.
export function place(start) {
  const next = STOPS.findIndex((stop, i) => i && stop >= start), [before, after] = STOPS.slice(next - 1);
  return next - (after - start) / (after - before);
}

// ---- the picture (equal to window.py) ----

const ENCODINGS = Object.keys(ENCODE);
const BASES = [100, 10000, 500000];
const LEFT = 64, TOP = 64, CELL = 16; // a map's margins and cells, px
const SIDE = CELL * WORDS;
const EDGE = 5, WIDE = 90; // where the axis of positions lies, percent of the width
const RAIL = 50; // its height in its picture, px
const SMALL = 0.005; // the share of its scale below which a cell is blank
const MEANING = {
  RoPE: "queries and keys turned by their positions", sinusoidal: "fixed waves added to queries and keys",
  ALiBi: "minus 0.25 for every token between the two positions", none: "the words alone",
};
const HOLDS = { float64: 2 ** 53, float32: 2 ** 24, float16: 2 ** 11, bfloat16: 2 ** 8 }; // every whole number up to here
const BIGGEST = 65504, END = 65520; // the largest number of float16, and the first position that it rounds to infinity

export function size(x) {
  if (x >= 0.01) return fixed(x, 3);
  if (x < 1e-9) return "below 10⁻⁹";
  const [digits, power] = x.toExponential(1).split("e-");
  return `${digits} × 10⁻${"⁰¹²³⁴⁵⁶⁷⁸⁹"[power]}`;
}

const rail = (start) => EDGE + WIDE * place(start) / (STOPS.length - 1);

function axis({ start, format }) {
  const marks = { 0: "0", 100: "100", 1000: "1k", 10000: "10k", 100000: "100k", [LONGEST]: "1M" };
  const muted = { fill: colour("muted"), "font-size": 12, "text-anchor": "middle" };
  const ticks = Object.entries(marks).map(([stop, words]) => text(percent(rail(Number(stop))), RAIL + 34, words, muted));
  const x = rail(start), exact = percent(rail(Math.min(HOLDS[format], LONGEST)));
  const line = { y1: RAIL, y2: RAIL, "stroke-width": 6 };
  const box = { x: -8, y: -15, width: 16, height: 30, rx: 4, fill: colour("paper"), stroke: colour("ink"), "stroke-width": 2.5 };
  return svg(
    "100%", RAIL + 40, "Axis of positions", `The window starts at ${grouped(start)}. ${note(format)}`, {},
    tag("line", { x1: percent(EDGE), x2: percent(EDGE + WIDE), ...line, stroke: colour("grid") }),
    tag("line", { x1: percent(EDGE), x2: exact, ...line, stroke: colour("score") }), ...ticks,
    text("50%", RAIL - 26, `words at ${grouped(start)} to ${grouped(start + LAST)}`,
      { "text-anchor": "middle", "font-weight": 600, "font-size": 14 }),
    at(percent(x), RAIL, tag("rect", box), ...[-3, 0, 3].map((d) => tag("line", { x1: d, x2: d, y1: -7, y2: 7, stroke: colour("ink") }))),
  );
}

function note(format) {
  if (HOLDS[format] > LONGEST) return `${format} holds every whole position here.`;
  const past = format === "float16" ? `, and from ${grouped(END)} on infinity` : "";
  return `${format} holds every whole position up to ${grouped(HOLDS[format])} (green), beyond that rounded ones${past}.`;
}

function axes({ start, m, n }) {
  const rows = [], columns = [], bold = { "font-weight": 700, fill: colour("ink") };
  for (const i of range(0, LAST, 1)) {
    const y = num(CELL * (i + 0.5) + 4);
    if (i % 5 === 0 || i === m) rows.push(text(-5, y, grouped(start + i), i === m ? bold : {}));
    if (i % 5 === 0 || i === n) columns.push(text(5, y, grouped(start + i), i === n ? bold : {}));
  }
  const corner = text(-5, -22, "key →", {}) + text(-5, -7, "query ↓", {}), muted = { fill: colour("muted"), "font-size": 12 };
  return tag("g", { ...muted, "text-anchor": "end", transform: `translate(${LEFT} ${TOP})` }, corner, ...rows) +
    tag("g", { ...muted, transform: `translate(${LEFT} ${TOP}) rotate(-90)` }, ...columns);
}

function hatch(matrix) {
  const hole = (i, j) => `M${j} ${i}l.5-.5M${j} ${i}.5l1-1M${j}.5 ${i}.5l.5-.5`;
  const holes = matrix.flatMap((row, i) => row.map((x, j) => Number.isFinite(x) ? "" : hole(i, j)));
  return tag("path", { d: holes.join(""), stroke: colour("muted"), "stroke-width": 0.07 });
}

function map(matrix, scale, names, title, about, ends, state) {
  const width = LEFT + SIDE + 4, height = TOP + SIDE + 30, y = TOP + SIDE + 12;
  const shown = matrix.map((row) => row.map((x) => Number.isFinite(x) && Math.abs(x) >= SMALL * scale ? x : 0));
  const steps = [range(-7, 7, 1).map((x) => x / 7)], side = 12, muted = { fill: colour("muted"), "font-size": 12 };
  const wide = side * steps[0].length, left = LEFT + (SIDE - wide) / 2;
  const cell = { x: LEFT + CELL * state.n, y: TOP + CELL * state.m, width: CELL, height: CELL, fill: "none" };
  return svg(
    String(width), String(height), title, about,
    { viewBox: `0 0 ${width} ${height}`, style: `display:block;width:100%;max-width:${width}px;height:auto;margin:auto;overflow:visible` },
    axes(state),
    plot(LEFT, TOP, SIDE, SIDE, 0, WORDS, 0.5 - WORDS, 0.5, cells(shown, scale, names), dots(shown), hatch(matrix)),
    tag("rect", { x: LEFT, y: TOP, width: SIDE, height: SIDE, fill: "none", stroke: colour("grid") }),
    tag("rect", { ...cell, stroke: colour("paper"), "stroke-width": 5 }), tag("rect", { ...cell, stroke: colour("ink"), "stroke-width": 2.5 }),
    text(left - 7, y + 11, ends[0], { ...muted, "text-anchor": "end" }), text(left + wide + 7, y + 11, ends[1], muted),
    plot(left, y, wide, side, 0, steps[0].length, -0.5, 0.5, cells(steps, 1, names), dots(steps)),
  );
}

function heading(words, more) {
  const style = "text-align:center;font-variant-numeric:tabular-nums";
  return tag("div", { style }, tag("b", {}, words), tag("div", { style: `font-size:14px;color:${colour("muted")}` }, more));
}

function verdict(change) {
  const lost = change.flat().filter((x) => !Number.isFinite(x)).length, far = largest(change);
  if (lost === WORDS ** 2) return `no score is a finite number, for ${grouped(BIGGEST)} is the largest that float16 holds`;
  const others = lost ? `${lost} of ${WORDS ** 2} scores are not finite; among the others ` : "";
  if (far < 1e-9) return `${others}no score changes by more than 10⁻⁹`;
  const weight = far < SMALL ? ", too little to see" : far >= 1 ? ", as much as a score itself" : "";
  return `${others}the largest change of a score is ${size(far)}${weight}`;
}

const value = (x) => Number.isFinite(x) ? fixed(x, 4) : Number.isNaN(x) ? "NaN" : "−∞";
const turns = (encoding) => encoding === "RoPE" || encoding === "sinusoidal";

// Both maps and all words of a state, each part under the name of its slot.
function parts(state) {
  const { start, encoding, format, base, m, n } = state;
  const before = scores(encoding, format, base, 0), now = scores(encoding, format, base, start);
  const change = minus(now, before), far = largest(change), scale = largest(before), said = verdict(change);
  const means = (encoding === "none" ? "" : ` in ${format}`) + (turns(encoding) ? `, base ${grouped(base)}` : "");
  const words = `${encoding}${means}: ${said}. ` +
    `Score of word ${m} with word ${n}: ${value(before[m][n])} at start 0, ${value(now[m][n])} at start ${grouped(start)}.`;
  return {
    axis: axis(state), note: note(format), words, said,
    scores: map(now, scale, ["q", "k"], `Scores at start ${grouped(start)}`, words, [`score ${fixed(-scale, 1)}`, fixed(scale, 1)], state),
    change: map(change, 1, ["score", "rope"], "Change since start 0", words, ["change ≤ −1", "≥ 1"], state),
    means: heading("scores", MEANING[encoding]),
    far: heading("change", Number.isNaN(far) ? "no finite number" : `largest: ${size(far)}`),
  };
}

export function picture(state) {
  const drawn = parts(state), half = { style: `flex:0 1 ${LEFT + SIDE + 4}px;min-width:0` };
  const row = "display:flex;flex-wrap:wrap;justify-content:center;gap:16px 20px;margin-top:12px";
  const side = (words, name) => tag("div", half, tag("div", { "data-slot": words }, drawn[words]), track(name, drawn[name]));
  return card(
    "What stays when the window moves?",
    ["Sixteen words, each with a query (down) and a key (across), stand at sixteen positions in a row. On the left their scores QKᵀ/√D, ",
      word("q", "positive"), " or ", word("k", "negative"), "; on the right what has been ", word("score", "added"), " or ",
      word("rope", "taken away"), " since the row began at 0. Move the row: which scores stay, and in which number format?"],
    track("axis", drawn.axis),
    tag("p", { "data-slot": "note", style: "margin:2px 0 0;text-align:center;font-size:14px" }, drawn.note),
    tag("div", { style: row }, side("means", "scores"), side("far", "change")),
    readout(drawn.words),
  );
}

// ---- the living figure ----

const HINT = "Drag the window, choose a format, pick a cell of a map.";
const CHOICES = { encoding: ENCODINGS, format: Object.keys(FORMATS), base: BASES };
const TRAITS = ["start", ...Object.keys(CHOICES), "m", "n"];
let groups = 0; // the radio buttons of one figure share a name

// Radio buttons and the exact start around the axis, sliders for the cell below the maps; returns what shows a state in them.
function controls(root, slot, model) {
  const group = groups++, input = (trait, more) => `<input ${OWN_KEYS}="true" data-trait="${trait}" ${more}>`;
  const radio = (trait, choice) => {
    const button = input(trait, `type="radio" name="rb-window-${trait}-${group}" value="${choice}"`);
    return `<label>${button}${trait === "base" ? grouped(choice) : choice}</label>`;
  };
  const choose = (trait) => {
    const name = `<span style="align-self:center;color:var(--rb-muted)">${trait}</span>`, buttons = CHOICES[trait].map((choice) => radio(trait, choice));
    return `<div class="rb-row" role="radiogroup" aria-label="${trait}" style="margin:0">${name}${buttons.join("")}</div>`;
  };
  const slider = (trait, words) => `<label>${words}${input(trait, `type="range" min="0" max="${LAST}"`)}<output></output></label>`;
  const exact = input("start", `type="number" min="0" max="${LONGEST}" step="1" style="width:7em;min-height:32px;font:inherit"`);
  slot("axis").parentElement.insertAdjacentHTML("beforebegin", choose("encoding") + choose("format") + choose("base"));
  slot("note").insertAdjacentHTML("beforebegin", `<div class="rb-row" style="margin:0"><label>start, tokens ${exact}</label></div>`);
  slot("readout").insertAdjacentHTML("afterend",
    `<div class="rb-sliders">${slider("m", "word m, query")}${slider("n", "word n, key")}</div>`);
  root.addEventListener("input", ({ target }) => {
    const { trait } = target.dataset, given = trait in CHOICES && trait !== "base" ? target.value : parseFloat(target.value);
    if (!Number.isNaN(given)) write(model, { [trait]: trait === "start" ? clamp(Math.round(given), 0, LONGEST) : given });
  });
  return function show(state) {
    for (const field of root.querySelectorAll("input")) {
      const { trait } = field.dataset, now = String(state[trait]);
      if (field.type === "radio") {
        field.checked = field.value === now;
        field.disabled = trait === "base" ? !turns(state.encoding) : trait === "format" && state.encoding === "none";
        field.parentElement.style.opacity = field.disabled ? 0.5 : 1;
      } else if (field.value !== now) field.value = now;
      if (field.type === "range") field.nextElementSibling.textContent = now;
    }
  };
}

// The cell of a map under the pointer, by mouse or finger; the sliders do the same for keys.
function cellUnder(event, drawing) {
  const box = drawing.getBoundingClientRect(), unit = box.width / (LEFT + SIDE + 4);
  const m = Math.floor(((event.clientY - box.top) / unit - TOP) / CELL), n = Math.floor(((event.clientX - box.left) / unit - LEFT) / CELL);
  return Math.min(m, n) >= 0 && Math.max(m, n) <= LAST ? { m, n } : {};
}

function render({ model, el }) {
  const wanted = () => Object.fromEntries(TRAITS.map((trait) => [trait, model.get(trait)]));
  const { root, slot, status } = stage(el, picture(wanted()), "axis", HINT);
  const show = controls(root, slot, model), drawn = {};
  slot("note").after(status);
  let said = wanted();
  const say = speaker(status, () => {
    const state = wanted(), now = parts(state), moved = ["start", ...Object.keys(CHOICES)].some((trait) => state[trait] !== said[trait]);
    said = state;
    return moved ? `Start ${grouped(state.start)}: ${now.said}.` : now.words.split(". ").at(-1);
  });

  const put = (name, markup) => { if (drawn[name] !== markup) slot(name).innerHTML = drawn[name] = markup; };
  const request = painter(root, () => {
    const state = wanted(), { start } = state, now = parts(state);
    for (const name of ["axis", "scores", "change", "means", "far"]) put(name, now[name]);
    slot("note").textContent = now.note;
    slot("readout").textContent = now.words;
    show(state);
    lay(percent(rail(start)), RAIL, { now: start, min: 0, max: LONGEST, words: `words at ${grouped(start)} to ${grouped(start + LAST)}` });
    return false;
  });
  const stopAt = (index) => write(model, { start: STOPS[clamp(index, 0, STOPS.length - 1)] });
  const lay = handle(slot("axis").parentElement, {
    label: "Start of the window", width: 44, height: 44, page: 10,
    grab: () => place(model.get("start")),
    move: (from, fraction) => stopAt(Math.round(from + fraction * (STOPS.length - 1) * 100 / WIDE)),
    drop: () => {},
    step: (by) => stopAt((by > 0 ? Math.floor : Math.ceil)(place(model.get("start"))) + by),
  });
  for (const name of ["scores", "change"]) {
    const board = slot(name).parentElement;
    pickable(board, (event) => write(model, cellUnder(event, board.querySelector("svg"))));
  }
  root.addEventListener("change", request); // an emptied field shows the start again
  return follow(model, TRAITS, say, request);
}

export default { render };
