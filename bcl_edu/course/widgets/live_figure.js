// Draws what `drawing` says, and again whenever it changes. plotly.js (5 MB) comes from the model `library`, once a
// kernel, and is loaded once a page, however many figures there are. A slow machine delays the picture and loses no
// message.

const PAGE = "bcl_edu_plotly";

/** Screens from the window's edge within which a figure counts as near. */
const NEAR = 0.5;

/** Bring a figure that moves by itself to where the reader looks; from elsewhere in a notebook it calls nobody. */
function bringIntoView(page) {
  const { top, bottom } = page.getBoundingClientRect();
  if (bottom > -NEAR * innerHeight && top < (1 + NEAR) * innerHeight) page.scrollIntoView({ block: "nearest" });
}

async function sourceOf(model) {
  const id = model.get("library");
  while (!model.widget_manager.has_model(id)) {
    await new Promise((resolve) => setTimeout(resolve, 100)); // a page that is reloaded gets its models in any order
  }
  return (await model.widget_manager.get_model(id)).get("source");
}

async function load(model) {
  const address = URL.createObjectURL(new Blob([await sourceOf(model)], { type: "text/javascript" }));
  const script = document.createElement("script");
  const before = window.Plotly;
  await new Promise((resolve, reject) => {
    script.onload = resolve;
    script.onerror = () => reject(new Error("plotly.js could not be loaded"));
    script.src = address;
    document.head.append(script);
  });
  URL.revokeObjectURL(address);
  const plotly = window.Plotly;
  window.Plotly = before; // whoever had one of another version keeps it
  return plotly;
}

function render({ model, el }) {
  const page = document.createElement("div");
  page.className = "live-figure";
  page.setAttribute("role", "img");
  el.append(page);
  let plotly = null;
  let gone = false;

  const draw = () => {
    const { data, layout } = structuredClone(model.get("drawing")); // plotly writes into what it is given
    page.setAttribute("aria-label", layout.meta?.alternative ?? "a figure");
    page.style.minHeight = `${layout.height ?? 400}px`;
    return plotly?.react(page, data, { ...layout, uirevision: "the reader's" }, { displaylogo: false });
  };
  const size = new ResizeObserver(() => page.clientWidth && page.data && plotly.Plots.resize(page));

  draw();
  window[PAGE] ??= load(model);
  window[PAGE].then(async (loaded) => {
    if (gone) return;
    plotly = loaded;
    await draw();
    size.observe(el);
    if (model.get("moves")) bringIntoView(page);
  }).catch((error) => {
    delete window[PAGE];
    page.textContent = `This figure cannot be drawn: ${error.message}. Run its cell again.`;
  });
  model.on("change:drawing", draw);

  return () => {
    gone = true;
    model.off("change:drawing", draw);
    size.disconnect();
    plotly?.purge(page);
  };
}

export default { initialize: stayInTouch, render };
