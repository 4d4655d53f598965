// Brings the still figures of a page to life. A classic script, because a browser refuses module files under file://.
// The bundles push [name, module text]; each text is imported once, from memory.
(() => {
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
      for (const listener of [...(this.listeners[`change:${key}`] ?? [])]) listener();
    }
    save_changes() {}
    on(event, listener) { (this.listeners[event] ??= []).push(listener); }
    off(event, listener) { this.listeners[event] = (this.listeners[event] ?? []).filter((other) => other !== listener); }
  }

  async function hydrate(name, text) {
    const places = document.querySelectorAll(`.ropebook-figure[data-figure="${name}"]`);
    if (!places.length) return;
    const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    const figure = (await import(url)).default;
    URL.revokeObjectURL(url);
    for (const place of places) {
      const live = document.createElement("div");
      const model = new Model(JSON.parse(place.dataset.state));
      await figure.render({ model, el: live });
      place.replaceChildren(live);
      place.model = model;
      place.dataset.live = "true";
    }
  }

  // If anything fails, the still picture stays and the console says why.
  function load([name, text]) {
    hydrate(name, text).catch((error) => console.error(`figure ${name}:`, error));
  }

  function start() {
    const waiting = window.ropebookFigures ?? [];
    window.ropebookFigures = { push: load };
    waiting.forEach(load);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
