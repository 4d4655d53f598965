import {
  OWN_KEYS, card, cells, clamp, colour, dot, dots, fixed, follow, frequencies, normals, num, painter, pickable, plot, range, readout,
  rotate, speaker, stage, svg, tag, text, track, word, write,
} from "./common.js";

// ---- mathematics (equal to encodings.py) ----

export const LONGEST_SHIFT = 40; // tokens
const SENTENCE = "the dog bites the man and the man bites the dog .".split(" ");
const VOCABULARY = [...new Set(SENTENCE)]; // in order of appearance
export const LAST = SENTENCE.length - 1;

const WIDTH = 8; // C, and D
const REACH = 4; // r, the largest offset with a vector of its own
const BUCKETS = 32;
const SEED = 77;

const normal = normals(SEED);
const vectors = (count, scale) => range(1, count, 1).map(() => range(1, WIDTH, 1).map(() => scale * normal()));
const projection = () => vectors(WIDTH, WIDTH ** -0.5);

export const EMBEDDING = vectors(VOCABULARY.length, 1); // the words, then the weights, in this order
export const WEIGHTS = {
  w_q: projection(), w_k: projection(), table: vectors(LONGEST_SHIFT + SENTENCE.length, 0.7), relative: vectors(2 * REACH + 1, 1),
  bias: vectors(BUCKETS / WIDTH, 2).flat(), w_r: projection(), u: vectors(1, 1)[0], v: vectors(1, 1)[0], u_q: projection(), u_k: projection(),
  slope: 0.25,
};

const THETA = frequencies(WIDTH, 10000); // radians per token
const add = (x, y) => x.map((value, i) => value + y[i]);
const project = (matrix, x) => matrix.map((row) => dot(row, x));
const query = (x) => project(WEIGHTS.w_q, x), key = (y) => project(WEIGHTS.w_k, y);
const clipped = (offset) => WEIGHTS.relative[REACH + clamp(offset, -REACH, REACH)];
export const sinusoid = (position) => THETA.flatMap((rate) => [Math.sin(position * rate), Math.cos(position * rate)]);

export function bucket(offset) {
  const half = BUCKETS / 2, alone = half / 2, distance = Math.abs(offset);
  const steps = Math.floor(Math.log(distance / alone) / Math.log(128 / alone) * (half - alone));
  return (offset < 0 ? half : 0) + (distance < alone ? distance : Math.min(alone + steps, half - 1));
}

// The score of a word x as query at position m with a word y as key at n.
const nope = (x, y) => dot(query(x), key(y));
const t5 = (x, y, m, n) => nope(x, y) + WEIGHTS.bias[bucket(m - n)];

export const ENCODINGS = {
  "NoPE": nope,
  "sinusoidal": (x, y, m, n) => nope(add(x, sinusoid(m)), add(y, sinusoid(n))),
  "learned": (x, y, m, n) => nope(add(x, WEIGHTS.table[m]), add(y, WEIGHTS.table[n])),
  "Shaw": (x, y, m, n) => nope(x, add(y, clipped(m - n))),
  "Transformer-XL": (x, y, m, n) => nope(add(x, WEIGHTS.u), y) + dot(query(add(x, WEIGHTS.v)), project(WEIGHTS.w_r, sinusoid(m - n))),
  "T5": t5,
  "TUPE": (x, y, m, n) => t5(x, y, m, n) + dot(project(WEIGHTS.u_q, WEIGHTS.table[m]), project(WEIGHTS.u_k, WEIGHTS.table[n])),
  "DeBERTa": (x, y, m, n) => nope(x, y) + nope(x, clipped(m - n)) + nope(clipped(m - n), y),
  "ALiBi": (x, y, m, n) => nope(x, y) - WEIGHTS.slope * WIDTH ** 0.5 * Math.abs(m - n),
  "RoPE": (x, y, m, n) => dot(rotate(query(x), m, THETA), rotate(key(y), n, THETA)),
};

const textOf = (words) => words === "sentence" ? SENTENCE : SENTENCE.map(() => "dog");

const known = {}; // matrices once computed, by all that they depend on

export function scores(encoding, words, shift) {
  const x = textOf(words).map((name) => EMBEDDING[VOCABULARY.indexOf(name)]), score = ENCODINGS[encoding];
  return known[[encoding, words, shift]] ??= x.map((asking, m) => x.map((asked, n) => score(asking, asked, m + shift, n + shift)));
}

export function moved(before, after) {
  return Math.max(...before.flatMap((row, m) => row.map((value, n) => Math.abs(after[m][n] - value))));
}

export function spread(matrix) {
  const diagonal = (offset) => matrix.flatMap((row, m) => row.filter((_, n) => m - n === offset));
  return Math.max(...range(-LAST, LAST, 1).map(diagonal).map((values) => Math.max(...values) - Math.min(...values)));
}

// ---- the picture (equal to encodings.py) ----

const NAMES = Object.keys(ENCODINGS);
const MEANING = {
  "NoPE": "the words alone",
  "sinusoidal": "fixed waves added to the words",
  "learned": "a learned vector for each position, added to the words",
  "Shaw": "a learned vector for each offset, added to the keys",
  "Transformer-XL": "waves of the offset, and two questions that all queries ask",
  "T5": "a learned number for each bucket of offsets",
  "TUPE": "positions ask positions, words ask words, T5’s number on top",
  "DeBERTa": "words ask offsets, offsets ask words",
  "ALiBi": "minus a slope times the distance",
  "RoPE": "queries and keys turned by their positions",
};

const LEFT = 66, TOP = 66, CELL = 20; // the large map's margins and cells, px
const SIDE = CELL * SENTENCE.length;

const tokens = (shift) => `${shift} token${shift === 1 ? "" : "s"}`;
const change = (name, { words, shift }) => moved(scores(name, words, 0), scores(name, words, shift));
const largest = (matrix) => Math.max(...matrix.flat().map(Math.abs));

const inkOf = (encoding) => colour(encoding.toLowerCase() in PALETTE.light ? encoding.toLowerCase() : "ink");

function small(name, { encoding, words, shift }) {
  const after = scores(name, words, shift), values = after.flat(), far = change(name, { words, shift });
  const frame = { x: 0, y: -0.5, width: 12, height: 12, fill: "none", stroke: colour("grid") };
  let about = `Scores from ${fixed(Math.min(...values), 2)} to ${fixed(Math.max(...values), 2)}. ` +
    `The shift has moved them by at most ${fixed(far, 2)}.`;
  if (words === "one word") about += ` Along a diagonal they differ by at most ${fixed(spread(after), 2)}.`;
  const style = "display:block;width:100%;width:min(120px,round(down,100%,6px));height:auto;margin:auto;overflow:visible";
  const chosen = name === encoding ? `;outline:2px solid ${colour("ink")};outline-offset:2px` : "";
  const drawing = svg(
    "120", "120", `Score matrix, ${name}`, about, { viewBox: "0 -0.5 12 12", style: style + chosen },
    cells(after, largest(scores(name, words, 0))), tag("rect", { ...frame, "vector-effect": "non-scaling-stroke" }),
  );
  const still = far < 1e-9 ? `font-size:12px;color:${colour("muted")}` : "font-size:12px;font-weight:600";
  return tag(
    "div", { style: "padding:4px 0;text-align:center;line-height:1.3;font-variant-numeric:tabular-nums" },
    drawing,
    tag("div", { style: `margin:5px -12px 0;font-size:13px;font-weight:600;white-space:nowrap;color:${inkOf(name)}` }, name),
    tag("div", { style: still }, `moved ${fixed(far, 2)}`),
  );
}

function axes({ words, shift, m, n }) {
  const rows = [], columns = [];
  textOf(words).forEach((name, i) => {
    const at = num(CELL * (i + 0.5) + 4.5), bold = { "font-weight": 700, fill: colour("ink") };
    for (const [place, written] of [[-5, String(i + shift)], [-28, name]]) {
      rows.push(text(place, at, written, i === m ? bold : {}));
      columns.push(text(-place, at, written, i === n ? bold : {}));
    }
  });
  const corner = text(-8, -26, "key →", {}) + text(-8, -8, "query ↓", {});
  return tag("g", { fill: colour("muted"), "text-anchor": "end", transform: `translate(${LEFT} ${TOP})` }, corner, ...rows) +
    tag("g", { fill: colour("muted"), transform: `translate(${LEFT} ${TOP}) rotate(-90)` }, ...columns);
}

function reading({ m, n }) {
  const i = Math.max(0, m - n), j = Math.max(0, n - m), steps = SENTENCE.length - Math.abs(m - n);
  const ends = { x1: LEFT + CELL * j, y1: TOP + CELL * i, x2: LEFT + CELL * (j + steps), y2: TOP + CELL * (i + steps) };
  const cell = { x: LEFT + CELL * n, y: TOP + CELL * m, width: CELL, height: CELL, fill: "none" };
  return tag("line", { ...ends, stroke: colour("paper"), "stroke-width": 3, opacity: 0.6 }) +
    tag("line", { ...ends, stroke: colour("ink"), "stroke-width": 1.2, "stroke-dasharray": "3 4" }) +
    tag("rect", { ...cell, stroke: colour("paper"), "stroke-width": 5 }) + tag("rect", { ...cell, stroke: colour("ink"), "stroke-width": 2.5 });
}

function legend(scale) {
  const values = [range(-LAST, LAST, 2).map((value) => value / LAST)], side = 14, y = TOP + SIDE + 14;
  const wide = side * SENTENCE.length, left = LEFT + (SIDE - wide) / 2, muted = { fill: colour("muted") };
  return text(left - 8, y + 12, `score ${fixed(-scale, 1)}`, { ...muted, "text-anchor": "end" }) +
    text(left + wide + 8, y + 12, fixed(scale, 1), muted) +
    plot(left, y, wide, side, 0, SENTENCE.length, -0.5, 0.5, cells(values, 1), dots(values));
}

function large(state) {
  const { encoding, words, shift } = state, matrix = scores(encoding, words, shift), scale = largest(scores(encoding, words, 0));
  const about = `Queries down, keys across, at positions ${shift} to ${shift + LAST}. ${numbers(state)}`;
  const width = LEFT + SIDE + 2, height = TOP + SIDE + 30;
  return svg(
    String(width), String(height), `Score matrix with its words, ${encoding}`, about,
    { viewBox: `0 0 ${width} ${height}`, style: `display:block;width:100%;max-width:${width}px;height:auto;margin:auto;overflow:visible` },
    axes(state),
    plot(LEFT, TOP, SIDE, SIDE, 0, SENTENCE.length, 0.5 - SENTENCE.length, 0.5, cells(matrix, scale), dots(matrix)),
    tag("rect", { x: LEFT, y: TOP, width: SIDE, height: SIDE, fill: "none", stroke: colour("grid") }),
    reading(state), legend(scale),
  );
}

const note = (shift) => `Words at positions ${shift} to ${shift + LAST}. Below each map: its largest change since 0 to ${LAST}.`;
const aboutOf = (encoding) =>
  tag("div", { style: `font-size:18px;font-weight:600;color:${inkOf(encoding)}` }, encoding) + tag("div", {}, MEANING[encoding]);

function numbers({ encoding, words, shift, m, n }) {
  const before = scores(encoding, words, 0), after = scores(encoding, words, shift), names = textOf(words), far = moved(before, after);
  let sentence = `${encoding}: query at ${m} (${names[m]}), key at ${n} (${names[n]}): score ${fixed(before[m][n], 2)}`;
  if (shift) sentence += `; after a shift of ${tokens(shift)} ${fixed(after[m][n], 2)}. Largest change in the map: ${fixed(far, 2)}`;
  if (words === "one word") sentence += `. Largest difference along a diagonal: ${fixed(spread(after), 2)}`;
  return sentence + ".";
}

export function picture(state) {
  const grid = "display:grid;grid-template-columns:repeat(auto-fit,minmax(max(92px,17%),1fr));gap:10px 6px";
  const row = "display:flex;flex-wrap:wrap;justify-content:center;align-items:center;gap:12px 20px;margin-top:16px";
  return card(
    "Which scores stay when the text moves?",
    ["Ten ways to tell attention about order, on the same words: each query (down) gives each key (across) a score, ",
      word("q", "positive"), " or ", word("k", "negative"), ". Which maps stay when the whole text moves? " +
      "Which are constant along diagonals when all words are the same?"],
    tag("p", { "data-slot": "note", style: "margin:8px 0 12px;text-align:center" }, note(state.shift)),
    tag("div", { style: grid }, ...NAMES.map((name) => track(name, small(name, state)))),
    tag("div", { style: row },
      tag("div", { style: `flex:0 1 ${LEFT + SIDE + 2}px;min-width:0` }, track("large", large(state))),
      tag("div", { style: "flex:1 1 260px;min-width:0" },
        tag("div", { "data-slot": "about", style: "text-align:center" }, aboutOf(state.encoding)), readout(numbers(state)))),
  );
}

// ---- the living figure ----

const HINT = "Move the text, choose a map, pick a cell of the large one.";
const WORDS = { sentence: "the dog bites the man …", "one word": "dog, twelve times" };
const SLIDERS = { shift: ["shift, tokens", LONGEST_SHIFT], m: ["m, the query", LAST], n: ["n, the key", LAST] };
const KEYS = ["encoding", "words", ...Object.keys(SLIDERS)];
let groups = 0; // the radio buttons of one figure share a name

// Each small map is a radio button; radio buttons and the shift stand above them, sliders for the cell beside the large map.
function controls(root, slot, model) {
  const group = groups++, grid = slot(NAMES[0]).parentElement.parentElement;
  const input = (trait, more) => `<input ${OWN_KEYS}="true" data-trait="${trait}" ${more}>`;
  const radio = (trait, value, more) => input(trait, `type="radio" name="rb-${trait}-${group}" value="${value}" ${more}`);
  const slider = (trait) =>
    `<label>${SLIDERS[trait][0]}${input(trait, `type="range" min="0" max="${SLIDERS[trait][1]}"`)}<output></output></label>`;
  const choice = Object.entries(WORDS).map(([value, words]) => `<label>${radio("words", value, "")}${words}</label>`).join("");
  slot("note").insertAdjacentHTML("beforebegin", `<div class="rb-row" role="radiogroup" aria-label="Words">${choice}</div>` +
    `<div class="rb-sliders">${slider("shift")}</div>`);
  slot("readout").insertAdjacentHTML("afterend", `<div class="rb-sliders">${slider("m")}${slider("n")}</div>`);
  grid.setAttribute("role", "radiogroup");
  grid.setAttribute("aria-label", "Encoding");
  for (const name of NAMES) slot(name).after(document.createRange().createContextualFragment(radio("encoding", name, 'class="rb-pick"')));
  root.addEventListener("input", ({ target }) => {
    write(model, { [target.dataset.trait]: target.type === "radio" ? target.value : Number(target.value) });
  });
  return function show(state) {
    const names = textOf(state.words);
    for (const button of root.querySelectorAll("[type=radio]")) button.checked = button.value === state[button.dataset.trait];
    for (const map of root.querySelectorAll(".rb-pick")) map.setAttribute("aria-label", `${map.value}, moved ${fixed(change(map.value, state), 2)}`);
    for (const range of root.querySelectorAll("[type=range]")) {
      const { trait } = range.dataset, value = state[trait];
      range.value = value;
      range.nextElementSibling.textContent = value;
      if (trait !== "shift") range.setAttribute("aria-valuetext", `${value}, ${names[value]}`);
    }
  };
}

const but = (start, others) => others.length ? `${start} but ${others.join(", ").replace(/, ([^,]*)$/, " and $1")}.` : `${start}.`;

// What changed, in a sentence; null if nothing did.
function happened(said, state) {
  const { encoding, words, shift, m, n } = state, names = textOf(words), changed = (trait) => said[trait] !== state[trait];
  if (changed("words")) {
    if (words === "sentence") return "Different words: no map is constant along diagonals.";
    return but("One word: all maps are constant along diagonals", NAMES.filter((name) => spread(scores(name, words, shift)) > 1e-9));
  }
  if (changed("shift")) {
    const movers = NAMES.filter((name) => change(name, state) > 1e-9);
    return but(`Shifted by ${tokens(shift)}: all maps stay`, movers);
  }
  if (changed("encoding")) return `${encoding}: ${MEANING[encoding]}.`;
  if (!changed("m") && !changed("n")) return null;
  return `${names[m]} at ${m + shift} asks ${names[n]} at ${n + shift}: score ${fixed(scores(encoding, words, shift)[m][n], 2)}.`;
}

// The cell of the large map under the pointer, by mouse or finger; the sliders do the same for keys.
function cellUnder(event, drawing) {
  const box = drawing.getBoundingClientRect(), unit = box.width / (LEFT + SIDE + 2);
  const m = Math.floor(((event.clientY - box.top) / unit - TOP) / CELL), n = Math.floor(((event.clientX - box.left) / unit - LEFT) / CELL);
  return Math.min(m, n) >= 0 && Math.max(m, n) <= LAST ? { m, n } : {};
}

function render({ model, el }) {
  const wanted = () => Object.fromEntries(KEYS.map((trait) => [trait, model.get(trait)]));
  const { root, slot, status } = stage(el, picture(wanted()), "large", HINT);
  const show = controls(root, slot, model), board = slot("large").parentElement, drawn = {};
  slot(NAMES[0]).parentElement.parentElement.after(status);
  let said = wanted();
  const say = speaker(status, () => {
    const state = wanted(), words = happened(said, state);
    said = state;
    return words;
  });

  const put = (name, markup) => { if (drawn[name] !== markup) slot(name).innerHTML = drawn[name] = markup; };
  const request = painter(root, () => {
    const state = wanted();
    for (const name of NAMES) put(name, small(name, state));
    put("large", large(state));
    put("about", aboutOf(state.encoding));
    slot("note").textContent = note(state.shift);
    slot("readout").textContent = numbers(state);
    show(state);
    return false;
  });
  pickable(board, (event) => write(model, cellUnder(event, board.querySelector("svg"))));
  return follow(model, KEYS, say, request);
}

export default { render };
