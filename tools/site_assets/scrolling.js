// Whatever is too wide for the page scrolls by itself. A shadow lies on the edge at which it is cut off, and whoever uses
// keys reaches it with Tab, hears what it is, and scrolls it with the arrow keys.

/** What scrolls, and what it is called; the first that fits. */
const KINDS = [
  ["details.code pre", "Code"],
  [".output_wrapper pre, .output pre", "Output"],
  [".scroller.table", "Table"],
  [".scroller.formula", "Formula"],
  ["pre", "Code"],
];
/** Pixels that are hidden by rounding only. */
const ROUNDING = 1;

function mark(box) {
  const across = box.scrollWidth - box.clientWidth;
  const down = box.scrollHeight - box.clientHeight;
  const edges = {
    left: box.scrollLeft > ROUNDING,
    right: across - box.scrollLeft > ROUNDING,
    top: box.scrollTop > ROUNDING,
    bottom: down - box.scrollTop > ROUNDING,
  };
  const hidden = box.classList.contains("formula") ? ["left", "right"] : Object.keys(edges); // it scrolls sideways only
  box.dataset.cut = hidden.filter((edge) => edges[edge]).join(" ");
  const name = `${KINDS.find(([kind]) => box.matches(kind))[1]}, scrolls`;
  const scrolls = across > ROUNDING || (down > ROUNDING && hidden.length === 4);
  for (const [attribute, value] of Object.entries({ tabindex: "0", role: "region", "aria-label": name })) {
    if (scrolls) box.setAttribute(attribute, value);
    else box.removeAttribute(attribute);
  }
}

const resized = new ResizeObserver((entries) => entries.forEach(({ target }) => mark(target)));
for (const box of document.querySelectorAll("pre, .scroller")) {
  resized.observe(box);
  box.addEventListener("scroll", () => mark(box), { passive: true });
}
