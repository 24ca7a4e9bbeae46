// Draws a figure when it comes near the view, and lets a 3-D one go when it is far away: browsers allow few at a time.
// Its title and caption are text of the page; what is too wide for a phone is put below one another.

// COLOURS, which the site puts above: of each colour of stored figures, what a light and a dark page have in its place.

const NEAR = "600px";
/** Narrower than this, a figure is laid out for a phone. */
const NARROW = 560;
/** Pixels that a title and a caption of one line take above a stored figure, and those that are left without a legend. */
const HEADING = 62;
const BARE = 24;
/** Pixels of one row of a legend, for which there is room. */
const LEGEND_ROW = 34;
/** Pixels on a phone: a letter, a label's distance from its neighbours, the smallest text, a scale of colours with numbers. */
const LETTER = 7;
const APART = 8;
const SMALLEST = 10;
/** Pixels of a cell in which a number of the usual size has room. */
const NUMBERED = 27;
/** Letters of a name in one line. */
const LONG_NAME = 12;
/** By how much an axis goes on above numbers that are written upright. */
const UPRIGHT = 1.1;
/** Pixels that numbers and name of a vertical axis take, and those between two numbers side by side. */
const AXIS = 60;
const BETWEEN = 3;
/** Share of an axis between the highest dot of a bar and the number above it. */
const ROOM_ABOVE = 0.02;
const SCALE = 72;
/** Pixels below a plot for names of its columns that are written aslant. */
const ASLANT = 62;
/** With more labels than this on an axis no lines are broken: they are numbers, or are left out in part. */
const MOST_LABELS = 10;
const dark = matchMedia("(prefers-color-scheme: dark)");
const byFinger = matchMedia("(pointer: coarse)");

async function draw(figure) {
  const { data, layout, frames } = readFigure(figure);
  const narrow = figure.clientWidth < NARROW;
  frames.forEach((frame) => delete frame.layout?.title);
  withoutHeading(data, layout);
  data.forEach(writeOnBars);
  liftColourBarTitles(data, layout);
  if (narrow) fitPhone(data, layout, figure.clientWidth);
  else if (data.some(({ textangle }) => textangle)) fitNumbers(data, layout, figure.clientWidth);
  if (byFinger.matches) holdStill(layout);
  const page = figure.appendChild(document.createElement("div"));
  const spatial = data.some((trace) => trace.type.endsWith("3d"));
  if (spatial) letFingersScroll(page);
  await Plotly.newPlot(page, data, layout, {
    responsive: true,
    displaylogo: false,
    displayModeBar: narrow ? false : undefined,
  });
  await makeRoomForLegend(page);
  figure.style.minHeight = `${page.clientHeight}px`; // the page does not move when the figure is let go
  if (frames.length) {
    await Plotly.addFrames(page, frames);
    hearKeys(figure, page);
    showCaptions(figure, page);
  }
  figure.dataset.drawn = spatial ? "3d" : "2d";
}

/** A stored figure in the colours of the page. */
function readFigure(figure) {
  const any = new RegExp(Object.keys(COLOURS).join("|"), "gi");
  const text = figure.querySelector("script").textContent;
  return JSON.parse(text.replace(any, (colour) => COLOURS[colour.toLowerCase()][Number(dark.matches)]));
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

/** Numbers within bars are black or white, whichever is read better there. */
function writeOnBars(trace) {
  if (trace.type !== "bar" || trace.textposition !== "inside" || !trace.marker?.color?.startsWith?.("#")) return;
  trace.textfont = { ...trace.textfont, color: inkOn(trace.marker.color) };
}

function inkOn(colour) {
  const [red, green, blue] = [1, 3, 5].map((place) => {
    const value = parseInt(colour.slice(place, place + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  // black and white have the same contrast with luminance 0.179
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000000" : "#ffffff";
}

/** Lay a figure out for a phone. */
function fitPhone(data, layout, width) {
  const panels = belowOneAnother(layout, width);
  shortenNames(data, layout);
  if (panels === 1) fitSquare(data, layout, width);
  moveColourBars(data, layout, panels);
  fitNumbers(data, layout, width);
  breakNames(layout);
  breakLabels(data, layout, width);
  moveButtons(layout);
}

/** A finger on a flat figure scrolls the page; plotly would zoom. */
function holdStill(layout) {
  layout.dragmode = false;
  for (const axis of Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name))) layout[axis].fixedrange = true;
}

/** A finger on a figure in space scrolls the page up and down, and turns the figure sideways; plotly would take both. */
function letFingersScroll(page) {
  const place = ({ changedTouches: [finger] }) => [finger.clientX, finger.clientY];
  let start = null;
  let scrolls = null;
  page.addEventListener("touchstart", (event) => {
    start = place(event);
    scrolls = null;
  }, { capture: true, passive: true });
  page.addEventListener("touchmove", (event) => {
    const [across, down] = place(event).map((value, i) => Math.abs(value - start[i]));
    scrolls ??= down > across;
    if (scrolls) event.stopPropagation();
  }, { capture: true, passive: true });
}

/** Panels that stand side by side; how many there are. */
function belowOneAnother(layout, width) {
  const axes = Object.keys(layout).filter((name) => /^xaxis\d*$/.test(name) && layout[name].domain);
  const panels = axes.map((name) => layout[name].domain).filter(([from]) => from > 0).length + 1;
  if (axes.length < 2 || panels !== axes.length) return 1;
  const height = Math.min(width, 340);
  const gap = 0.3 / panels;
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
  return panels;
}

/** Long names of the rows and columns of a matrix, "automobile (2997)", are written without the number of images. */
function shortenNames(data, layout) {
  const [{ type, x, y }] = data;
  if (type !== "heatmap") return;
  for (const axis of Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name))) {
    const names = axis.startsWith("x") ? x ?? y : y;
    if (!names?.every?.((name) => typeof name === "string")) continue;
    if (Math.max(...names.map((name) => name.length)) <= LONG_NAME) continue;
    Object.assign(layout[axis], { tickvals: names, ticktext: names.map((name) => name.replace(/ \(\d+\)$/, "")) });
  }
}

/** A plot that is as high as it is wide, in units of its own, is as wide as the page lets it be, and no higher than that. */
function fitSquare(data, layout, width) {
  const [trace] = data;
  if (!layout.height) return;
  const { t: above, b: under = 80, l: left = 0, r: right = 0 } = layout.margin;
  const [x, y] = [layout.xaxis, layout.yaxis];
  if (["heatmap", "image"].includes(trace.type)) {
    const names = y?.ticktext ?? trace.y ?? [];
    const longest = Math.max(0, ...Array.from(names, (name) => String(name).length));
    const across = width - left - right - LETTER * longest - 2 * APART;
    const shape = trace.type === "image" ? heightOverWidth(trace.source) : trace.y.length / trace.x.length;
    if (trace.texttemplate && across / trace.x.length < NUMBERED) trace.textfont = { ...trace.textfont, size: SMALLEST };
    const below = trace.type === "image" ? under : Math.max(under, ASLANT);
    layout.height = Math.min(layout.height, Math.round(above + across * shape + below));
  } else if (layout.scene || (y?.scaleanchor && y.visible === false && x.range && y.range)) {
    const shape = layout.scene ? 1 : (y.range[1] - y.range[0]) / (x.range[1] - x.range[0]);
    layout.height = Math.min(layout.height, Math.round(above + (width - left - right) * shape + under));
  }
}

/** Of a PNG in a data URI: its size stands at the beginning. */
function heightOverWidth(source) {
  const bytes = atob(source.slice(source.indexOf(",") + 1, source.indexOf(",") + 41));
  const number = (at) => [0, 1, 2, 3].reduce((sum, i) => 256 * sum + bytes.charCodeAt(at + i), 0);
  return number(20) / number(16);
}

function colourBars(data, layout) {
  return [layout.coloraxis?.colorbar, ...data.map((trace) => trace.colorbar)].filter(Boolean);
}

/** Between the title of a scale of colours and its highest number is an empty line: plotly lets them touch. */
function liftColourBarTitles(data, layout) {
  for (const { title } of colourBars(data, layout)) {
    if (title?.text && !/<br>\s*$/.test(title.text)) title.text += "<br>\u00a0";
  }
}

/** Scales of colours lie above a single plot, where no slider and no name of an axis is, and below several. */
function moveColourBars(data, layout, panels) {
  const bars = colourBars(data, layout);
  if (!bars.length) return;
  const plot = layout.height - layout.margin.t - (layout.margin.b ?? 80);
  const place = panels === 1 ? { y: 1 + 6 / plot, yanchor: "bottom" } : { y: -ASLANT / plot, yanchor: "top" };
  for (const bar of bars) {
    Object.assign(bar, { orientation: "h", x: 0.5, xanchor: "center", len: 0.9, thickness: 12, ypad: 0, ...place });
    if (bar.title) bar.title = { ...bar.title, side: "top", text: bar.title.text.replaceAll("<br>", " ").trim() };
    layout.height += SCALE;
    if (panels === 1) layout.margin.t += SCALE;
  }
}

/**
 * Numbers that stand upright within bars are written above bar and dots where there is room, or flat where whiskers are.
 * Where bars are too thin on a phone they are left out, as hatching hides them, and numbers above bars are written upright.
 */
function fitNumbers(data, layout, width) {
  for (const bars of Map.groupBy(data.filter(({ type }) => type === "bar"), ({ xaxis }) => xaxis ?? "x").values()) {
    if (bars.length < 2) continue;
    const [from, to] = layout[bars[0].xaxis?.replace("x", "xaxis") ?? "xaxis"]?.domain ?? [0, 1];
    const columns = bars.flatMap(({ x, y }) => Array.from(x ?? y.keys()));
    const places = new Set(columns).size;
    const besides = Math.round(columns.length / places);
    const across = ((to - from) * (width - AXIS)) / (places * (besides > 1 ? besides + 1 : 1)); // a gap is as wide as a bar
    const written = data.filter(({ mode, offsetgroup }) =>
      mode === "text" && bars.some((bar) => offsetgroup && bar.offsetgroup === offsetgroup));
    const numbers = [...bars, ...written].flatMap(({ text }) => Array.from(text ?? []));
    const longest = Math.max(0, ...numbers.map((number) => String(number).replace(/<[^>]*>/g, "").length));
    const fit = longest * LETTER + BETWEEN <= across;
    if (!fit && width >= NARROW) continue;
    for (const bar of bars.filter(({ text }) => text)) {
      const raised = fit && bar.insidetextanchor === "start" && !bar.error_y; // a whisker is where the number would be
      if (raised) data.push(numbersAbove(bar, data, layout));
      if (raised || (!fit && bar.textposition === "inside")) delete bar.text;
      else Object.assign(bar, { textangle: fit ? 0 : -90, constraintext: "none" }); // plotly would make them too small
    }
    if (!fit && bars.some(({ textposition }) => textposition === "outside")) {
      const highest = layout.yaxis.range?.[1] ?? 1.12 * Math.max(...bars.flatMap(({ y }) => Array.from(y)));
      layout.yaxis = { ...layout.yaxis, range: [0, UPRIGHT * highest] };
    }
    for (const trace of written) trace.visible = fit;
  }
}

/** The numbers of a bar's trace, above the bars and the dots that belong to them. */
function numbersAbove(bar, data, layout) {
  const dots = data.filter(({ mode, offsetgroup }) => mode === "markers" && offsetgroup === bar.offsetgroup);
  const [lowest, highest] = layout.yaxis.range;
  const tops = Array.from(bar.x, (x, i) => Math.max(
    bar.y[i] ?? 0, ...dots.flatMap((trace) => Array.from(trace.y).filter((_, point) => trace.x[point] === x))));
  return {
    type: "scatter", mode: "text", x: bar.x, y: tops.map((top) => top + ROOM_ABOVE * (highest - lowest)), text: bar.text,
    textposition: "top center", textfont: { size: bar.textfont.size }, offsetgroup: bar.offsetgroup, xaxis: bar.xaxis,
    showlegend: false, cliponaxis: false, hoverinfo: "skip",
  };
}

/** Names of parts of a single picture without axes, such as of a whole circle, are broken into lines. */
function breakNames(layout) {
  if (layout.xaxis?.visible !== false || layout.xaxis2) return;
  for (const note of layout.annotations ?? []) note.text = brokenInto(note.text, LONG_NAME);
}

/** Names of columns that would touch their neighbours are broken into lines, and are small where that is not enough. */
function breakLabels(data, layout, width) {
  const axis = layout.xaxis;
  if (!axis || axis.visible === false) return;
  const columns = [...new Set(data.filter(({ x, type }) => x?.length && type !== "heatmap").flatMap(({ x }) => Array.from(x)))];
  const [places, names] = axis.ticktext ? [axis.tickvals, axis.ticktext] : [columns, columns];
  if (!names.length || names.length > MOST_LABELS || !names.every((name) => typeof name === "string")) return;
  const rows = (layout.yaxis?.ticktext ?? []).map((name) => LETTER * name.length);
  const across = (width - Math.max(50, ...rows)) / names.length - APART;
  const lines = names.map((name) => brokenInto(name, Math.floor(across / LETTER)));
  const longest = Math.max(...lines.flatMap((line) => line.split("<br>")).map((line) => line.length));
  if (longest * LETTER <= across && lines.every((broken, i) => broken === names[i])) return;
  const size = Math.max(SMALLEST, Math.min(12, Math.floor((12 * across) / (longest * LETTER))));
  Object.assign(axis, { tickvals: places, ticktext: lines, tickfont: { ...axis.tickfont, size } });
  if (axis.side !== "top") return;
  const more = 15 * (Math.max(...lines.map((line) => line.split("<br>").length)) - 1);
  layout.margin.t += more;
  layout.height += more;
}

/** Text in lines of at most so many letters, broken where there is a space or a hyphen. */
function brokenInto(text, letters) {
  if (text.split("<br>").every((line) => line.length <= letters)) return text;
  const lines = [""];
  for (const word of text.replaceAll("<br>", " ").split(/(?<=[ -])/)) {
    if (lines.at(-1) && (lines.at(-1) + word).trimEnd().length > letters) lines.push("");
    lines[lines.length - 1] += word;
  }
  return lines.map((line) => line.trim()).join("<br>");
}

/** The slider of a film lies below its buttons. */
function moveButtons(layout) {
  const [slider, menu] = [layout.sliders?.[0], layout.updatemenus?.[0]];
  if (!slider || !menu) return;
  Object.assign(slider, { x: 0, len: 1, pad: { ...slider.pad, t: 64 } });
  layout.margin.b = (layout.margin.b ?? 80) + 56;
  layout.height += 56;
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
  // Watched anew, those that are near are drawn now. Otherwise one near the view but out of sight would stay empty: it
  // does not come near again before it has been far away.
  for (const figure of document.querySelectorAll("figure.live[data-drawn]")) {
    erase(figure);
    watch.unobserve(figure);
    watch.observe(figure);
  }
});

// A film that is paused makes plotly reject, without a reason, a promise that nobody has.
addEventListener("unhandledrejection", (event) => {
  if (event.reason === undefined) event.preventDefault();
});
