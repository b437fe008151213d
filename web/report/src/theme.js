// Light or dark: what the system says until the reader switches. Paper is always light.

const kKey = 'continuo-report:theme';
const listeners = [];
const system = matchMedia('(prefers-color-scheme: dark)');
let chosen = null;
try {
  chosen = localStorage.getItem(kKey);
} catch {
  /* the browser keeps nothing for files */
}
let printing = false;

export const isDark = () =>
  !printing && (chosen === 'dark' || (chosen !== 'light' && system.matches));

/** Calls `draw` when colors change: for canvases, which can't follow by themselves. */
export function onTheme(draw) {
  listeners.push(draw);
}

function apply() {
  document.documentElement.dataset.theme = isDark() ? 'dark' : 'light';
  for (const draw of listeners) draw();
}

export function switchTheme() {
  chosen = isDark() ? 'light' : 'dark';
  try {
    localStorage.setItem(kKey, chosen);
  } catch {
    /* as above */
  }
  apply();
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
