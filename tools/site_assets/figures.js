// Draws a figure when it comes near the view, and lets a 3-D one go when it is far away: browsers allow few at a time.

const NEAR = "600px";

async function draw(figure) {
  const { data, layout, frames } = JSON.parse(figure.querySelector("script").textContent);
  const page = figure.appendChild(document.createElement("div"));
  const spatial = data.some((trace) => trace.type.endsWith("3d"));
  await Plotly.newPlot(page, data, layout, { responsive: true, displaylogo: false });
  if (frames.length) {
    await Plotly.addFrames(page, frames);
    hearKeys(figure, page);
  }
  figure.dataset.drawn = spatial ? "3d" : "2d";
}

/** A film by keyboard: plotly's buttons and slider take no focus and hear the mouse only. */
function hearKeys(figure, page) {
  figure.setAttribute("role", "group"); // the parts of an image cannot be reached
  const bar = () => page.layout.sliders[0];
  const show = (args) => Plotly.animate(page, ...args).catch(() => {}); // a film that is interrupted rejects

  page.querySelectorAll(".updatemenu-button").forEach((button, i) => {
    const { label, args } = page.layout.updatemenus[0].buttons[i];
    reach(button, { role: "button", "aria-label": label }, { Enter: () => show(args), " ": () => show(args) });
  });

  const slider = page.querySelector(".slider-group");
  const last = bar().steps.length - 1;
  const to = (position) => () => show(bar().steps[Math.max(0, Math.min(last, position()))].args);
  const [back, on] = [to(() => bar().active - 1), to(() => bar().active + 1)];
  reach(slider, { role: "slider", "aria-label": bar().currentvalue.prefix.trim(), "aria-valuemin": 0, "aria-valuemax": last }, {
    ArrowLeft: back, ArrowDown: back, ArrowRight: on, ArrowUp: on, Home: to(() => 0), End: to(() => last),
  });
  const say = () => {
    slider.setAttribute("aria-valuenow", bar().active);
    slider.setAttribute("aria-valuetext", bar().steps[bar().active].label);
  };
  page.on("plotly_sliderchange", say);
  say();
}

/** Let Tab reach an element of a drawing, and let it do something on some keys. */
function reach(element, attributes, keys) {
  for (const [name, value] of Object.entries({ ...attributes, tabindex: 0 })) element.setAttribute(name, value);
  element.addEventListener("keydown", (event) => {
    if (!keys[event.key]) return;
    event.preventDefault(); // the page would scroll
    keys[event.key]();
  });
}

function erase(figure) {
  const page = figure.querySelector(":scope > div");
  Plotly.purge(page);
  page.remove();
  delete figure.dataset.drawn;
}

const watch = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting && !target.querySelector(":scope > div")) draw(target);
    else if (!isIntersecting && target.dataset.drawn === "3d") erase(target);
  }
}, { rootMargin: NEAR });

for (const figure of document.querySelectorAll("figure.live")) watch.observe(figure);
