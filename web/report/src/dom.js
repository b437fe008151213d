// Elements from calls. All text goes through text nodes: nothing of the data is ever read as HTML.

/** h('p', {class: 'note', onclick: f}, 'text', child, [more]) */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key === 'style' && typeof value === 'object') {
      for (const [name, text] of Object.entries(value)) element.style.setProperty(name, text);
    } else if (key === 'value' || key === 'checked') element[key] = value;
    else element.setAttribute(key, value === true ? '' : String(value));
  }
  append(element, children);
  return element;
}

export function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

export function replace(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

const kIcons = {
  play: 'M7 4.5v15l13-7.5z',
  pause: 'M6.5 4.5h4v15h-4zM13.5 4.5h4v15h-4z',
  stop: 'M6 6h12v12H6z',
  close:
    'M6 4.6 12 10.6 18 4.6 19.4 6 13.4 12 19.4 18 18 19.4 12 13.4 6 19.4 4.6 18 10.6 12 4.6 6z',
  save: 'M11 3h2v9.2l3.3-3.3 1.4 1.4L12 16l-5.7-5.7 1.4-1.4 3.3 3.3zM4 18.5h16v2H4z',
  moon: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zm0 2v14a7 7 0 0 1 0-14z',
  star: 'M12 3l2.7 5.8 6.3.8-4.6 4.4 1.2 6.3L12 17.2 6.4 20.3l1.2-6.3L3 9.6l6.3-.8z',
};

export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', kIcons[name]);
  svg.append(path);
  return svg;
}

/** A labelled choice; `options` are [value, text]. */
export function select(label, options, value, onchange) {
  const box = h(
    'select',
    {onchange: (event) => onchange(event.target.value)},
    options.map(([key, text]) => h('option', {value: key, selected: key === value}, text)),
  );
  return h('label', {class: 'field'}, h('span', {}, label), box);
}

export function checkbox(label, checked, onchange) {
  return h(
    'label',
    {class: 'field check'},
    h('input', {type: 'checkbox', checked, onchange: (event) => onchange(event.target.checked)}),
    h('span', {}, label),
  );
}

/** Draws by `draw(width)` into a box, again when its width changes. */
export function responsive(draw, props = {}) {
  const box = h('div', {class: 'chart', ...props});
  let width = 0;
  const redraw = () => {
    if (width > 0) replace(box, draw(width));
  };
  new ResizeObserver((entries) => {
    const now = Math.floor(entries[0].contentRect.width);
    if (now > 0 && now !== width) {
      width = now;
      redraw();
    }
  }).observe(box);
  return {box, redraw};
}

/** Calls `show` once, when `element` comes near the screen. */
export function whenSeen(element, show) {
  const observer = new IntersectionObserver(
    (entries) => {
      if (entries.some((entry) => entry.isIntersecting)) {
        observer.disconnect();
        show();
      }
    },
    {rootMargin: '300px'},
  );
  observer.observe(element);
  return element;
}
