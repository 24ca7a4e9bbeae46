// Elements of the page.

/** An SVG element under a parent. */
export function svg(name, attributes, parent) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  setAttributes(element, attributes);
  parent?.append(element);
  return element;
}

/** An HTML element under a parent. */
export function html(name, attributes, parent, text) {
  const element = document.createElement(name);
  setAttributes(element, attributes);
  if (text !== undefined) element.textContent = text;
  parent?.append(element);
  return element;
}

/** A picture whose text keeps its size on the screen, however wide the picture is (see --unit in the style sheet). */
export function picture(attributes, width, height, parent) {
  const root = svg("svg", { ...attributes, viewBox: `0 0 ${width} ${height}` }, parent);
  const observer = new ResizeObserver(() => {
    if (root.clientWidth) root.style.setProperty("--unit", width / root.clientWidth);
  });
  observer.observe(root);
  return root;
}

export function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}
