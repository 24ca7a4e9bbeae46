// The theme of the page: JupyterLab's, the system's, or a page's own.

const ATTRIBUTES = ["data-jp-theme-light", "data-theme", "class"];

/**
 * Call a function in the frame after every change that may have changed the colours of the page: JupyterLab hides
 * everything while it changes its theme.
 * @param {function(): void} changed
 * @returns {function(): void} stops that; whoever watches calls it when it leaves the page
 */
export function watchTheme(changed) {
  let frame = 0;
  const later = () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(changed);
  };
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", later);
  const page = new MutationObserver(later);
  for (const element of [document.body, document.documentElement]) {
    page.observe(element, { attributes: true, attributeFilter: ATTRIBUTES });
  }
  return () => {
    cancelAnimationFrame(frame);
    system.removeEventListener("change", later);
    page.disconnect();
  };
}
