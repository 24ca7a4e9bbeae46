// The explorer on a page of its own: its settings are in the address, so that a link leads to what its sender saw.

import { fromAddress, toAddress } from "./address.js";
import { Explorer } from "./explorer.js";

/** Milliseconds without a change before the address follows: browsers allow few changes a second. */
const PAUSE_BEFORE_ADDRESS = 300;

/**
 * @param {HTMLElement} parent
 * @param {Partial<Settings>} settings - where the page opens if its address says nothing else
 * @returns {Explorer}
 */
export function openPage(parent, settings) {
  let timer = null;
  const explorer = new Explorer(parent, { ...settings, ...fromAddress(location.hash) }, () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const address = `#${toAddress(explorer.settings)}`;
      if (address !== location.hash) history.replaceState(null, "", address);
    }, PAUSE_BEFORE_ADDRESS);
  });
  addEventListener("hashchange", () => explorer.set(fromAddress(location.hash)));
  return explorer;
}
