// The few kinds of chart that the page has, on Observable Plot. Colors are CSS variables, so that charts follow the theme by themselves.
import * as Plot from '@observablehq/plot';
import {h, responsive} from './dom.js';

const kFont = {fontFamily: 'inherit', fontSize: '11.5px', overflow: 'visible', background: 'none'};

function extent(values) {
  const known = values.filter(Number.isFinite);
  return known.length ? [Math.min(...known), Math.max(...known)] : [0, 1];
}

/** A range of values with some air; never of no height. */
export function padded(values, share = 0.07) {
  const [low, high] = extent(values);
  const air = (high - low || Math.abs(high) || 1) * share;
  return [low - air, high + air];
}

/** Moves labels apart: `places` in pixels, at least `gap` between, within [top, bottom]; the nearest such places in order. */
export function spread(places, gap, top, bottom) {
  const order = places.map((place, i) => ({place, i})).sort((a, b) => a.place - b.place);
  let free = top;
  for (const item of order) {
    item.to = Math.max(item.place, free);
    free = item.to + gap;
  }
  let ceiling = bottom;
  for (const item of order.reverse()) {
    item.to = Math.min(item.to, ceiling);
    ceiling = item.to - gap;
  }
  const result = [];
  for (const item of order) result[item.i] = item.to;
  return result;
}

/** Plot takes null for no mark, not false. */
const present = (marks) => marks.flat(Infinity).filter(Boolean);

const svgText = (length, size = 6.4) => length * size;

/**
 * Lines over epochs with their names at their ends. `lines`: [{name, color, width, faint, points: [{x, y, low, high}]}]; `level`:
 * {value, low, high, name}, a value that lines are held against; `across`: the epochs from left to right.
 */
export function lineChart({
  title,
  unit,
  lines,
  level,
  ticks,
  domain,
  across,
  height = 220,
  xLabel = 'epoch',
  points = true,
}) {
  const shown = lines.filter((line) => line.points.length);
  const values = shown.flatMap((line) =>
    line.points.flatMap((point) => [point.y, point.low, point.high]),
  );
  const y = domain ?? padded([...values, level?.value, level?.low, level?.high]);
  const x = across ?? extent(shown.flatMap((line) => line.points.map((point) => point.x)));
  const draw = (width) => {
    const names = [...shown.map((line) => line.name), level?.name ?? ''];
    const margins = {
      marginLeft: 42,
      marginRight: Math.min(
        width * 0.36,
        svgText(Math.max(4, ...names.map((name) => name.length))) + 12,
      ),
      marginTop: 10,
      marginBottom: 32,
    };
    const place = (value) =>
      margins.marginTop +
      ((y[1] - value) / (y[1] - y[0])) * (height - margins.marginTop - margins.marginBottom);
    const named = [
      ...shown
        .filter((line) => line.name)
        .map(({name, color, points: at}) => ({name, color, y: at[at.length - 1].y})),
      ...(level ? [{name: level.name, color: 'var(--real)', y: level.value}] : []),
    ];
    const labels = spread(
      named.map((one) => place(one.y)),
      13.5,
      margins.marginTop,
      height - margins.marginBottom - 4,
    );
    return Plot.plot({
      width,
      height,
      ...margins,
      style: kFont,
      x: {label: null, ticks, tickFormat: ticks ? 'd' : undefined, insetLeft: 6, domain: x},
      y: {label: null, domain: y, ticks: 5, grid: true},
      marks: present([
        Plot.axisX({
          label: xLabel,
          labelAnchor: 'center',
          labelArrow: 'none',
          ticks,
          tickFormat: ticks ? 'd' : undefined,
          tickSize: 3,
        }),
        Plot.axisY({label: null, ticks: 5, tickSize: 0}),
        level &&
          Number.isFinite(level.low) &&
          Plot.rectY([level], {
            x1: x[0],
            x2: x[1],
            y1: 'low',
            y2: 'high',
            fill: 'var(--real)',
            fillOpacity: 0.13,
            insetLeft: -6,
          }),
        level &&
          Plot.ruleY([level.value], {
            stroke: 'var(--real)',
            strokeWidth: 1.4,
            strokeDasharray: '2 3',
          }),
        shown.map((line, i) => [
          points &&
            Plot.ruleX(
              line.points.filter((point) => Number.isFinite(point.low)),
              {
                x: 'x',
                y1: 'low',
                y2: 'high',
                stroke: line.color,
                strokeOpacity: 0.45,
                strokeWidth: 1.6,
                dx: (i - (shown.length - 1) / 2) * 3,
              },
            ),
          Plot.line(line.points, {
            x: 'x',
            y: 'y',
            stroke: line.color,
            strokeWidth: line.width ?? 1.8,
            strokeOpacity: line.faint ? 0.45 : 1,
            strokeLinejoin: 'round',
            clip: points ? null : 'frame',
            dx: points ? (i - (shown.length - 1) / 2) * 3 : 0,
          }),
          points &&
            Plot.dot(line.points, {
              x: 'x',
              y: 'y',
              r: 2.8,
              fill: line.color,
              stroke: 'var(--paper)',
              strokeWidth: 1,
              dx: (i - (shown.length - 1) / 2) * 3,
            }),
        ]),
        named.map(({name, color}, i) =>
          Plot.text([name], {
            y: () => y[0],
            frameAnchor: 'right',
            text: (d) => d,
            fill: color,
            textAnchor: 'start',
            dx: 9,
            dy: labels[i] - place(y[0]),
            fontWeight: 500,
          }),
        ),
      ]),
    });
  };
  return panel(title, unit, responsive(draw).box);
}

/**
 * A bar or a dot with its interval for each row. `rows`: [{name, color, mean, low, high, hollow}]; `level` as for lineChart. Bars
 * begin at 0; dots are on a scale that shows differences.
 */
export function intervalChart({title, unit, rows, level, bars, rowHeight = 22, domain, xLabel}) {
  const shown = rows.filter((row) => Number.isFinite(row.mean));
  const values = shown.flatMap((row) => [row.mean, row.low, row.high]);
  const range =
    domain ??
    (bars
      ? [0, extent([0, ...values, level?.value, level?.high])[1] * 1.04 || 1]
      : padded([...values, level?.value, level?.low, level?.high]));
  const height = shown.length * rowHeight + 46;
  const draw = (width) => {
    const left = Math.min(
      width * 0.46,
      svgText(Math.max(6, ...shown.map((row) => row.name.length))) + 10,
    );
    return Plot.plot({
      width,
      height,
      marginLeft: left,
      marginRight: 12,
      marginTop: 18,
      marginBottom: 28,
      style: kFont,
      x: {domain: range, label: null},
      y: {domain: shown.map((row) => row.name), label: null, padding: 0.32},
      marks: present([
        Plot.gridX({ticks: Math.max(3, Math.round((width - left) / 75))}),
        Plot.axisX({
          ticks: Math.max(3, Math.round((width - left) / 75)),
          tickSize: 0,
          label: xLabel ?? null,
          labelArrow: 'none',
          labelAnchor: 'center',
        }),
        Plot.axisY({
          tickSize: 0,
          label: null,
          lineWidth: (left - 8) / 13,
          textOverflow: 'ellipsis',
        }),
        level &&
          Number.isFinite(level.low) &&
          Plot.rectX([level], {x1: 'low', x2: 'high', fill: 'var(--real)', fillOpacity: 0.13}),
        bars &&
          Plot.barX(shown, {
            y: 'name',
            x: 'mean',
            fill: 'color',
            fillOpacity: (row) => (row.hollow ? 0.42 : 0.85),
          }),
        level &&
          Plot.ruleX([level.value], {
            stroke: 'var(--real)',
            strokeWidth: 1.4,
            strokeDasharray: '2 3',
          }),
        Plot.ruleY(
          shown.filter((row) => Number.isFinite(row.low)),
          {
            y: 'name',
            x1: 'low',
            x2: 'high',
            stroke: bars ? 'var(--ink)' : 'color',
            strokeWidth: bars ? 1.4 : 2,
            strokeOpacity: bars ? 0.75 : 0.6,
          },
        ),
        !bars &&
          Plot.dot(shown, {
            y: 'name',
            x: 'mean',
            r: 4,
            fill: (row) => (row.hollow ? 'var(--paper)' : row.color),
            stroke: 'color',
            strokeWidth: 1.8,
          }),
        level &&
          Plot.text([level.name], {
            x: level.value,
            frameAnchor: 'top',
            dy: -13,
            fill: 'var(--real)',
            text: (d) => d,
            fontWeight: 500,
            textAnchor: (level.value - range[0]) / (range[1] - range[0]) > 0.7 ? 'end' : 'middle',
          }),
      ]),
    });
  };
  return panel(title, unit, responsive(draw, {style: {'min-height': `${height}px`}}).box);
}

/** For each row {name, color, values, mean} its values as dots, larger where there are more of one value, and their mean. */
export function stripChart({title, unit, rows, xLabel}) {
  const dots = rows.flatMap(({name, color, values}) =>
    [...new Set(values)].map((value) => ({
      name,
      color,
      value,
      share: values.filter((one) => one === value).length / values.length,
    })),
  );
  const height = rows.length * 26 + 46;
  const draw = (width) => {
    const left = Math.min(
      width * 0.46,
      svgText(Math.max(6, ...rows.map((row) => row.name.length))) + 10,
    );
    return Plot.plot({
      width,
      height,
      marginLeft: left,
      marginRight: 14,
      marginTop: 6,
      marginBottom: 40,
      style: kFont,
      x: {label: null, domain: [0, Math.max(1, ...dots.map((dot) => dot.value)) * 1.03]},
      y: {domain: rows.map((row) => row.name), label: null},
      r: {range: [0, 10]},
      marks: present([
        Plot.gridX(),
        Plot.axisX({tickSize: 0, label: xLabel, labelArrow: 'none', labelAnchor: 'center'}),
        Plot.axisY({
          tickSize: 0,
          label: null,
          lineWidth: (left - 8) / 13,
          textOverflow: 'ellipsis',
        }),
        Plot.dot(dots, {x: 'value', y: 'name', r: 'share', fill: 'color', fillOpacity: 0.45}),
        Plot.tickX(rows, {
          x: (row) => row.mean,
          y: 'name',
          stroke: 'color',
          strokeWidth: 2.5,
          insetTop: 4,
          insetBottom: 4,
        }),
      ]),
    });
  };
  return panel(title, unit, responsive(draw, {style: {'min-height': `${height}px`}}).box);
}

export function panel(title, unit, ...content) {
  return h(
    'figure',
    {class: 'panel'},
    title && h('figcaption', {}, h('b', {}, title), unit && h('span', {class: 'unit'}, unit)),
    content,
  );
}
