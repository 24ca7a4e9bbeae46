// Draws a figure when it comes near the view, and lets a 3-D one go when it is far away: browsers allow few at a time.

const NEAR = "600px";

async function draw(figure) {
  const { data, layout, frames } = JSON.parse(figure.querySelector("script").textContent);
  const page = figure.appendChild(document.createElement("div"));
  const spatial = data.some((trace) => trace.type.endsWith("3d"));
  await Plotly.newPlot(page, data, layout, { responsive: true, displaylogo: false });
  if (frames.length) await Plotly.addFrames(page, frames);
  figure.dataset.drawn = spatial ? "3d" : "2d";
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
