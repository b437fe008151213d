// Light or dark: what the system says until the reader switches. Paper is always light.

/** The theme of a page that remembers the reader's choice under `key`. */
export function pageTheme(key) {
  const listeners = new Set();
  const system = matchMedia('(prefers-color-scheme: dark)');
  let chosen = null;
  try {
    chosen = localStorage.getItem(key);
  } catch {
    /* the browser keeps nothing for files */
  }
  let printing = false;

  const isDark = () => !printing && (chosen === 'dark' || (chosen !== 'light' && system.matches));

  function apply() {
    document.documentElement.dataset.theme = isDark() ? 'dark' : 'light';
    for (const draw of listeners) draw();
  }

  system.addEventListener('change', apply);
  addEventListener('beforeprint', () => {
    printing = true;
    apply();
  });
  addEventListener('afterprint', () => {
    printing = false;
    apply();
  });
  apply();
  return {
    isDark,
    /** Calls `draw` when colors change, for canvases, which can't follow by themselves; gives a function that ends it. */
    onTheme(draw) {
      listeners.add(draw);
      return () => listeners.delete(draw);
    },
    switchTheme() {
      chosen = isDark() ? 'light' : 'dark';
      try {
        localStorage.setItem(key, chosen);
      } catch {
        /* as above */
      }
      apply();
    },
  };
}
