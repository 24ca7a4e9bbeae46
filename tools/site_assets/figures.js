// Draws a figure when it comes near the view, and lets a 3-D one go when it is far away: browsers allow few at a time.

const NEAR = "600px";
/** The ink of stored figures, which has to do on white and on black; a page has a better one for its theme. */
const STORED_INK = /#797979/gi;
/** Narrower than this, a figure's subtitle is broken into lines, and its tool bar is hidden. */
const NARROW = 560;
const dark = matchMedia("(prefers-color-scheme: dark)");

async function draw(figure) {
  const ink = getComputedStyle(document.documentElement).getPropertyValue("--figure-ink").trim();
  const { data, layout, frames } = JSON.parse(figure.querySelector("script").textContent.replace(STORED_INK, ink));
  const narrow = figure.clientWidth < NARROW;
  wrapTitle(layout, figure.clientWidth);
  const page = figure.appendChild(document.createElement("div"));
  const spatial = data.some((trace) => trace.type.endsWith("3d"));
  await Plotly.newPlot(page, data, layout, {
    responsive: true,
    displaylogo: false,
    displayModeBar: narrow ? false : undefined,
  });
  if (frames.length) {
    await Plotly.addFrames(page, frames);
    hearKeys(figure, page);
  }
  figure.dataset.drawn = spatial ? "3d" : "2d";
}

/** Break the lines of a title, which plotly does not, and make room for those that are added. */
function wrapTitle(layout, width) {
  const lines = layout.title?.text?.split("<br>");
  if (!lines) return;
  const plain = (html) => html.replace(/<[^>]*>/g, "");
  const broken = lines.map((line, i) => breakLine(line, plain(line), Math.floor(width / (i === 0 ? 9.6 : 7.4))));
  const added = broken.reduce((sum, of) => sum + of.length, 0) - lines.length;
  if (added <= 0) return;
  layout.title.text = broken.flat().join("<br>");
  layout.margin.t += 19 * added;
  if (layout.height) layout.height += 19 * added;
}

/** A line as several of at most so many characters, each in the element that the whole was in. */
function breakLine(line, text, most) {
  if (text.length <= most) return [line];
  const [, open, close] = line.match(/^((?:<[^>]*>)*).*?((?:<[^>]*>)*)$/s);
  const parts = [""];
  for (const word of text.split(" ")) {
    const longer = parts.at(-1) ? `${parts.at(-1)} ${word}` : word;
    if (longer.length <= most || !parts.at(-1)) parts[parts.length - 1] = longer;
    else parts.push(word);
  }
  return parts.map((part) => `${open}${part}${close}`);
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
  for (const figure of document.querySelectorAll("figure.live[data-drawn]")) {
    erase(figure);
    draw(figure);
  }
});
