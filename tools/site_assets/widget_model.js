// Stands for a widget's model in a page without Python: `state` holds the traits.
const heard = [];
const model = {
  get: (name) => state.get(name),
  set(name, value) {
    state.set(name, value);
    for (const [event, call] of heard) if (event === `change:${name}`) call();
  },
  on: (event, call) => heard.push([event, call]),
  off() {},
  save_changes() {},
};
widget.render({ model, el: document.querySelector(".widget") });
