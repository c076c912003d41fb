/**
 * What the browser keeps for the page. Where it may keep nothing (site data is blocked) memory does, until the page is
 * left.
 */

function kept(store) {
  const memory = new Map();
  const tried = (use) => {
    try {
      return use(window[store]);
    } catch {
      return null;
    }
  };
  return {
    get: (key) => tried((storage) => storage.getItem(key)) ?? memory.get(key) ?? null,
    set(key, value) {
      memory.set(key, value);
      tried((storage) => storage.setItem(key, value));
    },
    delete(key) {
      memory.delete(key);
      tried((storage) => storage.removeItem(key));
    },
  };
}

/** Of this tab, and of this browser. */
export const keptInTab = kept('sessionStorage');
export const keptInBrowser = kept('localStorage');
