// Brings the still figures of a page to life: fetches hero.js, shift.js, ... from its own folder as the page needs them.
// Classic scripts, because a browser refuses module files under file://; each hands over its own part of its module's text, which is
// imported from memory behind what all share.
(() => {
  const SHARED = "common.js"; // its text and the palette, put here by ropebook.figures.static
  const folder = document.currentScript.src.replace(/[^/]*$/, "");
  const places = (name) => [...document.querySelectorAll(`.ropebook-figure[data-figure="${name}"]`)];
  // If anything fails, the still picture stays and the console says why.
  const complain = (name) => (error) => console.error(`figure ${name}:`, error);

  // The part of a Jupyter widget model that the figures use.
  class Model {
    constructor(state) {
      this.state = { ...state };
      this.listeners = {};
    }
    get(key) { return this.state[key]; }
    set(key, value) {
      if (this.state[key] === value) return;
      this.state[key] = value;
      for (const listener of this.listeners[`change:${key}`] ?? []) listener();
    }
    save_changes() {}
    on(event, listener) { this.listeners[event] = [...(this.listeners[event] ?? []), listener]; }
    off(event, listener) { this.listeners[event] = (this.listeners[event] ?? []).filter((other) => other !== listener); }
  }

  async function hydrate(place, figure) {
    const model = new Model(JSON.parse(place.dataset.state)), live = document.createElement("div");
    await figure.render({ model, el: live });
    place.replaceChildren(live);
    place.model = model;
    place.dataset.live = "true";
  }

  window.ropebookFigure = (name, text) => {
    import(URL.createObjectURL(new Blob([SHARED, text], { type: "text/javascript" })))
      .then(({ default: figure }) => places(name).forEach((place) => hydrate(place, figure).catch(complain(name))))
      .catch(complain(name));
  };

  function start() {
    const found = [...document.querySelectorAll(".ropebook-figure")];
    for (const name of new Set(found.map((place) => place.dataset.figure))) {
      const script = document.createElement("script");
      script.src = `${folder}${name}.js`;
      script.onerror = () => complain(name)(`${script.src} did not load`);
      document.head.append(script);
    }
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
