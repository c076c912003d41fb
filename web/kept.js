/** Storage of the browser for the page. If site data is blocked, memory stands in until the page is left. */

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

/** Per tab, and per browser. */
export const keptInTab = kept('sessionStorage');
export const keptInBrowser = kept('localStorage');
