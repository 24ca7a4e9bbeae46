// Draws a figure when it comes near the view, and lets a 3-D one go when it is far away: browsers allow few at a time.
// Its title and caption are text of the page; what is too wide for a phone is put below one another.

const NEAR = "600px";
/** Colours of stored figures, which have to do on white and on black, and the page's own for its theme. */
const STORED = { "#797979": "--figure-ink", "#1a1a1a": "--cell-ink", "#f4f2ee": "--page", "#3fb0bf": "--apart", "#e070ad": "--close" };
/** Narrower than this, a figure is laid out for a phone. */
const NARROW = 560;
/** Pixels that a title and a caption of one line take above a stored figure, and those that are left without a legend. */
const HEADING = 62;
const BARE = 24;
/** Pixels of one row of a legend, for which there is room. */
const LEGEND_ROW = 34;
const dark = matchMedia("(prefers-color-scheme: dark)");

async function draw(figure) {
  const { data, layout, frames } = readFigure(figure);
  const narrow = figure.clientWidth < NARROW;
  frames.forEach((frame) => delete frame.layout?.title);
  withoutHeading(data, layout);
  if (narrow) fitPhone(data, layout, figure.clientWidth);
  const page = figure.appendChild(document.createElement("div"));
  const spatial = data.some((trace) => trace.type.endsWith("3d"));
  await Plotly.newPlot(page, data, layout, {
    responsive: true,
    displaylogo: false,
    displayModeBar: narrow ? false : undefined,
  });
  await makeRoomForLegend(page);
  if (frames.length) {
    await Plotly.addFrames(page, frames);
    hearKeys(figure, page);
    showCaptions(figure, page);
  }
  figure.dataset.drawn = spatial ? "3d" : "2d";
}

/** A stored figure in the colours of the page. */
function readFigure(figure) {
  const style = getComputedStyle(document.documentElement);
  const any = new RegExp(Object.keys(STORED).join("|"), "gi");
  const text = figure.querySelector("script").textContent;
  return JSON.parse(text.replace(any, (colour) => style.getPropertyValue(STORED[colour.toLowerCase()]).trim()));
}

/** The page has title and caption above the figure, and its own width. */
function withoutHeading(data, layout) {
  const legend = layout.showlegend !== false && data.some((trace) => trace.name && trace.showlegend !== false);
  const top = layout.margin?.t ?? 80;
  const left = legend || layout.annotations?.length ? Math.max(BARE, top - HEADING) : BARE;
  delete layout.title;
  delete layout.width;
  layout.font = { ...layout.font, family: getComputedStyle(document.documentElement).getPropertyValue("--sans") };
  layout.margin = { ...layout.margin, t: left };
  if (layout.height) layout.height -= top - left;
}

/** Below one another what stands side by side: panels, their scale of colours, and a film's buttons and slider. */
function fitPhone(data, layout, width) {
  const axes = Object.keys(layout).filter((name) => /^xaxis\d*$/.test(name) && layout[name].domain);
  const panels = axes.map((name) => layout[name].domain).filter(([from]) => from > 0).length + 1;
  if (axes.length > 1 && panels === axes.length) {
    const height = Math.min(width, 340);
    const gap = 0.24 / panels;
    axes.forEach((name, i) => {
      const middle = (layout[name].domain[0] + layout[name].domain[1]) / 2;
      const top = 1 - i * (1 + gap) / (panels + gap * (panels - 1));
      const y = [Math.max(0, top - 1 / (panels + gap * (panels - 1))), top];
      const vertical = name.replace("x", "y");
      layout[name].domain = [0, 1];
      layout[vertical] = { ...layout[vertical], domain: y };
      for (const note of layout.annotations ?? []) {
        if (note.xref === "paper" && Math.abs(note.x - middle) < 0.02) Object.assign(note, { x: 0.5, y: y[1] });
      }
    });
    layout.height = layout.margin.t + (layout.margin.b ?? 80) + panels * height * (1 + gap);
  }
  for (const bar of [layout.coloraxis?.colorbar, ...data.map((trace) => trace.colorbar)]) {
    if (!bar) continue;
    Object.assign(bar, { orientation: "h", x: 0.5, y: -0.12, yanchor: "top", len: 0.9, thickness: 12 });
    layout.height += 70;
  }
  const bars = data.filter(({ type, text }) => type === "bar" && text);
  if (bars.length > 1) bars.forEach((trace) => (trace.textangle = -90)); // numbers above thin bars would overlap
  const [slider, menu] = [layout.sliders?.[0], layout.updatemenus?.[0]];
  if (slider && menu) {
    Object.assign(slider, { x: 0, len: 1, pad: { ...slider.pad, t: 64 } });
    layout.margin.b = (layout.margin.b ?? 80) + 56;
    layout.height += 56;
  }
}

/** A legend of several rows would cover the plot: the figure grows by them. */
async function makeRoomForLegend(page) {
  const rows = page.querySelector(".legend")?.getBBox().height ?? 0;
  const more = Math.round(rows - LEGEND_ROW);
  if (more <= 0) return;
  const { margin, height } = page.layout;
  await Plotly.relayout(page, { "margin.t": margin.t + more, height: (height ?? page.clientHeight) + more });
}

/** The caption of each position of a film. */
function showCaptions(figure, page) {
  const captions = JSON.parse(figure.dataset.captions ?? "null");
  const caption = figure.previousElementSibling;
  if (!captions) return;
  page.on("plotly_animatingframe", ({ name }) => {
    if (captions[name]) caption.innerHTML = captions[name];
  });
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

dark.addEventListener("change", () => {
  // those that are out of sight are drawn when they come near
  for (const figure of document.querySelectorAll("figure.live[data-drawn]")) {
    erase(figure);
    const { top, bottom } = figure.getBoundingClientRect();
    if (bottom > 0 && top < innerHeight) draw(figure);
  }
});

// A film that is paused makes plotly reject, without a reason, a promise that nobody has.
addEventListener("unhandledrejection", (event) => {
  if (event.reason === undefined) event.preventDefault();
});
