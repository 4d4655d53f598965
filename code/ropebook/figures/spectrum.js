import {
  OWN_KEYS, arrow, at, card, clamp, colour, fixed, follow, grouped, label, level, num, painter, percent, pickable, plot,
  polyline, range, readout, speaker, stage, svg, tag, text, track, word, write,
} from "./common.js";

// ---- mathematics (equal to ropebook.extension) ----

const TAU = 2 * Math.PI;

export const turns = ({ length, base, d }, i) => length * base ** (-2 * i / d) / TAU; // of pair i in a training text

function mix(share, { s }) {
  const kept = clamp(share, 0, 1);
  return kept + (1 - kept) / s;
}

const parts = (slow, fast) => (state, i) => mix((turns(state, i) - slow) / (fast - slow), state);

function ramp(state, i) {
  const { length, base, d } = state, index = (count) => d * Math.log(length / (TAU * count)) / (2 * Math.log(base));
  const first = Math.floor(index(32)), last = Math.ceil(index(1));
  return mix(1 - (i - first) / (last - first), state);
}

const METHODS = { // new speed ÷ old speed of pair i
  none: () => 1,
  "interpolation (PI)": ({ s }) => 1 / s,
  "NTK-aware": ({ s, d }, i) => s ** (-2 * i / (d - 2)),
  "by parts": parts(1, 32),
  "YaRN (paper)": parts(1, 32),
  "YaRN (code)": ramp,
  "Llama 3": parts(1, 4),
  "new base": ({ base, d }, i) => (base / 1000000) ** (2 * i / d),
  "p-RoPE": ({ d }, i) => i < 0.75 * d / 2 ? 1 : 0,
};

export const ratios = (state) => range(0, state.d / 2 - 1, 1).map((i) => METHODS[state.method](state, i));
export const scale = ({ method, s }) => method.startsWith("YaRN") ? 0.1 * Math.log(s) + 1 : 1;

// ---- the picture (equal to spectrum.py) ----

const MEANING = {
  none: "the model as it was trained",
  "interpolation (PI)": "every position divided by s, so every pair s times slower",
  "NTK-aware": "a larger base: the slowest pair s times slower, the fastest kept",
  "by parts": "s times slower below 1 turn in training, kept above 32, mixed by turns between",
  "YaRN (paper)": "as by parts, and sharper scores",
  "YaRN (code)": "as its paper, but mixed by the pair’s number instead of its turns",
  "Llama 3": "by parts, from 1 to 4 turns",
  "new base": "1,000,000, whatever s is",
  "p-RoPE": "the slowest quarter of the pairs stands still, from training on",
};
const RIVAL = { "YaRN (code)": "YaRN (paper)", "YaRN (paper)": "YaRN (code)" };
const LEFT = 12, WIDE = 84; // where the board lies, percent of the width
const TOP = 56, TALL = 200; // the same in px
const LOW = 0.7, HIGH = 6.5; // the axis of wavelengths, powers of ten
const STILL = 8; // the axis of speeds in halvings; this many stand for a speed of 0
const RADIUS = 38, MIDDLE = 46; // of a dial, px

const places = (x) => x >= 100 ? grouped(Math.floor(x + 0.5)) : fixed(x, x >= 1 ? 1 : x > 0 && x < 0.01 ? 4 : 2);
const rail = (wavelength) => LEFT + WIDE * (Math.log10(wavelength) - LOW) / (HIGH - LOW);
const halvings = (ratio) => Math.min(-Math.log2(ratio), STILL);

function board({ length, s, d, method, pair, ...rest }, all, seen, fresh, about) {
  const x = seen.map((turned) => rail(length / turned)), edge = rail(length), end = rail(s * length), rival = RIVAL[method];
  const y = (n) => TOP + TALL * n / STILL, right = LEFT + WIDE;
  const upright = (x, dashes) => tag("line", { x1: percent(x), x2: percent(x), y1: TOP, y2: TOP + TALL, stroke: colour("ink"), ...dashes });
  const circle = (i, r) => {
    const name = fresh[i] ? "k" : "score", fill = colour(fresh[i] ? "paper" : name);
    return tag("circle", { cx: percent(x[i]), cy: y(halvings(all[i])), r, fill, stroke: colour(name), "stroke-width": r / 2 });
  };
  const line = { stroke: colour("muted"), "stroke-dasharray": "5 4", "vector-effect": "non-scaling-stroke" };
  const curve = (ratios) => plot(percent(LEFT), TOP, percent(WIDE), TALL, LEFT, right, -STILL, 0,
    polyline(ratios.map((ratio, i) => [x[i], halvings(ratio)]), line));
  return svg(
    "100%", TOP + TALL + 50, "Speed by wavelength", about, {},
    text(percent(LEFT), 14, "New speed ÷ old, log scale", { "font-weight": 600 }),
    rival ? label(percent(right), 14, `dashed: ${rival}`, "end") : "",
    tag("rect", { x: percent(edge), y: TOP, width: percent(right - edge), height: TALL, fill: colour("muted"), opacity: 0.14 }),
    ...range(0, STILL, 1).map((n) => level(LEFT, right, y(n), n === STILL ? "0" : n ? `1/${2 ** n}` : "1")),
    ...["10", "100", "1k", "10k", "100k", "1M"].map((words, n) => label(percent(rail(10 ** (n + 1))), TOP + TALL + 14, words, "middle")),
    label(percent(LEFT + WIDE / 2), TOP + TALL + 31, "old wavelength, tokens a turn", "middle"),
    label(percent(LEFT + WIDE / 2), TOP + TALL + 46, "shaded: no full turn in training", "middle"),
    upright(edge, {}), upright(end, { "stroke-dasharray": "3 4" }),
    label(percent(edge), TOP - 26, `L = ${grouped(length)}`, "end"), label(percent(end), TOP - 11, `s·L = ${grouped(s * length)}`, "end"),
    rival ? curve(ratios({ ...rest, length, s, d, method: rival })) : "",
    ...all.map((_, i) => circle(i, 3)), circle(pair, 7),
  );
}

function dials(pair, ends, said) {
  const ring = (from, to, name, width) => tag("circle", {
    r: RADIUS, fill: "none", stroke: colour(name), "stroke-width": width, pathLength: 100,
    "stroke-dasharray": `0 ${num(100 * from)} ${num(100 * Math.max(Math.min(to, 1) - from, 0))} 100`,
  });
  const dial = (words, n) => {
    const angle = TAU * ends[n], far = RADIUS - 8;
    return at(percent((n + 0.5) * 100 / 3), MIDDLE,
      tag("g", { transform: "scale(1 -1)" }, ring(0, 1, "grid", 2), ring(0, ends[0], "score", 5), ring(Math.min(ends[0], 1), ends[n], "k", 9)),
      arrow(0, 0, far * Math.cos(angle), -far * Math.sin(angle), "ink", 2.5, {}),
      label(0, MIDDLE + 16, words, "middle"), text(0, MIDDLE + 33, `${said[n]} turns`, { "text-anchor": "middle", "font-weight": 600 }));
  };
  const about = `Pair ${pair} turns ${said[0]} times in a training text, in the long one ${said[1]} times before and ${said[2]} after.`;
  return svg("100%", 2 * MIDDLE + 40, "Angles of one pair", about, {}, ...["training text", "long, before", "long, after"].map(dial));
}

// What stands in each slot.
function drawn(state) {
  const { s, length, d, method } = state, n = d / 2, pair = Math.min(state.pair, n - 1);
  const all = ratios(state), seen = all.map((_, i) => turns(state, i));
  const fresh = all.map((ratio, i) => seen[i] < 1 && s * ratio > 1 + 1e-9); // the long text brings angles that training did not
  const ratio = all[pair], ends = [seen[pair], s * seen[pair], s * seen[pair] * ratio], said = ends.map(places), kept = ratio > 1 - 1e-9;
  const speed = kept ? "it keeps its speed" : ratio ? `slowed to ${places(ratio)} of its speed` : "it stands still";
  const tally = `${seen.filter((turned) => turned < 1).length} of ${n} pairs make no full turn in training; ` +
    `the long text brings ${fresh.filter(Boolean).length} of them to new angles.`;
  return {
    note: `${method}: ${MEANING[method]}.`, board: board({ ...state, pair }, all, seen, fresh, tally), tally, dials: dials(pair, ends, said),
    readout: `Pair ${pair} of ${n}: wavelength ${places(length / ends[0])} tokens, ${said[0]} turns in training; ${method}: ${speed}; ` +
      `at the end of the long text ${said[2]} turns${kept ? "" : ` instead of ${said[1]}`}.` +
      (scale(state) > 1 ? ` Cosines and sines times ${fixed(scale(state), 2)}.` : ""),
  };
}

export function picture(state) {
  const now = drawn(state), line = (name) => tag("p", { "data-slot": name, style: "margin:8px 0;text-align:center" }, now[name]);
  return card(
    "Which pairs meet new angles?",
    ["A model trained on L tokens reads s times as many. Each dot is a pair. By the end of the long text it has turned through angles ",
      word("score", "seen in training"), " alone, or also through ", word("k", "new ones"), " (hollow). Which method slows which pair?"],
    line("note"), track("board", now.board), line("tally"), track("dials", now.dials), readout(now.readout),
  );
}

// ---- the living figure ----

const HINT = "Choose a method, press a dot.";
const CHOICES = {
  method: Object.keys(METHODS), s: [1, 2, 4, 8, 16, 32], length: [512, 2048, 4096, 8192], base: [10000, 150000, 500000], d: [64, 128, 256],
};
const TRAITS = [...Object.keys(CHOICES), "pair"];
let groups = 0; // the radio buttons of one figure share a name

// Radio buttons above the board, a slider above the dials; returns what shows the model's state in them.
function controls(root, slot, model) {
  const group = groups++, input = (more) => `<input ${OWN_KEYS}="true" ${more}>`;
  const radio = (trait, value, i) => {
    const button = input(`type="radio" name="rb-spectrum-${trait}-${group}" data-trait="${trait}" value="${i}"`);
    return `<label style="min-width:36px">${button}${typeof value === "number" ? grouped(value) : value}</label>`;
  };
  const row = ([trait, values]) => {
    const name = trait === "length" ? "L" : trait, buttons = values.map((value, i) => radio(trait, value, i));
    return `<div class="rb-row" style="gap:0 12px;margin:0" role="radiogroup" aria-label="${name}">` +
      `<span style="align-self:center;color:var(--rb-muted)">${name}</span>${buttons.join("")}</div>`;
  };
  slot("note").insertAdjacentHTML("beforebegin",
    `<div style="display:flex;flex-wrap:wrap;justify-content:center;gap:0 36px">${Object.entries(CHOICES).map(row).join("")}</div>`);
  const columns = "grid-template-columns:2.4em 1fr 2.4em", range = input('type="range" min="0"');
  slot("tally").insertAdjacentHTML("afterend", `<div class="rb-sliders"><label style="${columns}">pair${range}<output></output></label></div>`);
  root.addEventListener("input", ({ target: { dataset: { trait }, value } }) => {
    write(model, trait ? { [trait]: CHOICES[trait][value] } : { pair: Number(value) });
  });
  const slider = root.querySelector("[type=range]"), buttons = root.querySelectorAll("[type=radio]");
  return function show() {
    for (const button of buttons) button.checked = CHOICES[button.dataset.trait][button.value] === model.get(button.dataset.trait);
    slider.max = model.get("d") / 2 - 1;
    slider.value = slider.nextElementSibling.textContent = Math.min(model.get("pair"), slider.max);
  };
}

function render({ model, el }) {
  const wanted = () => Object.fromEntries(TRAITS.map((trait) => [trait, model.get(trait)]));
  const { root, slot, status } = stage(el, picture(wanted()), "board", HINT), show = controls(root, slot, model);
  let said = wanted();
  const say = speaker(status, () => {
    const state = wanted(), { tally, readout } = drawn(state), moved = said.pair !== state.pair;
    said = state;
    return moved ? readout : tally;
  });
  const request = painter(root, () => {
    for (const [name, markup] of Object.entries(drawn(wanted()))) slot(name).innerHTML = markup;
    show();
    return false;
  });
  pickable(slot("board"), (event) => {
    const box = event.currentTarget.getBoundingClientRect(), part = ((event.clientX - box.left) / box.width * 100 - LEFT) / WIDE;
    const wavelength = 10 ** (LOW + (HIGH - LOW) * part), { d, base } = wanted();
    write(model, { pair: clamp(Math.round(d / 2 * Math.log(wavelength / TAU) / Math.log(base)), 0, d / 2 - 1) });
  });
  return follow(model, TRAITS, say, request);
}

export default { render };
