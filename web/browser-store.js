/** Storage of the browser for the page. If site data is blocked, memory stands in until the page is left. */

function createStore(store) {
  const memory = new Map();
  const attempt = (use) => {
    try {
      return use(window[store]);
    } catch {
      return null;
    }
  };
  return {
    get: (key) => attempt((storage) => storage.getItem(key)) ?? memory.get(key) ?? null,
    set(key, value) {
      memory.set(key, value);
      attempt((storage) => storage.setItem(key, value));
    },
    delete(key) {
      memory.delete(key);
      attempt((storage) => storage.removeItem(key));
    },
  };
}

/** Per tab, and per browser. */
export const tabStore = createStore('sessionStorage');
export const browserStore = createStore('localStorage');
