// Elements of the page, and changes to them that cost nothing where nothing changes.

/** An SVG element under a parent. */
export function svg(name, attributes, parent) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  put(element, attributes);
  parent?.append(element);
  return element;
}

/** An HTML element under a parent. */
export function html(name, attributes, parent, text) {
  const element = document.createElement(name);
  put(element, attributes);
  if (text !== undefined) write(element, text);
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

/** Set attributes; one that an element has already is left alone, since the browser would lay out and paint anew. */
export function put(element, attributes) {
  const known = (element.known ??= {});
  for (const [name, value] of Object.entries(attributes)) {
    if (known[name] === value) continue;
    known[name] = value;
    element.setAttribute(name, value);
  }
}

/** Set an element's text, if it is another one. */
export function write(element, text) {
  const wanted = String(text);
  if (element.written === wanted) return;
  element.written = wanted;
  element.textContent = wanted;
}
