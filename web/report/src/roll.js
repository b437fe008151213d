// Piano rolls on a canvas: what was given and what is new in two colours.

function colors(element) {
  const style = getComputedStyle(element);
  const get = (name) => style.getPropertyValue(name).trim();
  return {
    given: get('--given'),
    fresh: get('--fresh'),
    lit: get('--ink'),
    line: get('--line'),
    faint: get('--shade'),
    muted: get('--muted'),
  };
}

function fit(canvas) {
  const ratio = Math.min(3, window.devicePixelRatio || 1);
  const {width, height} = canvas.getBoundingClientRect();
  const w = Math.max(1, Math.round(width * ratio)),
    h = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  return ratio;
}

function pitchRange(notes) {
  let low = 127,
    high = 0;
  for (const {pitch} of notes) {
    low = Math.min(low, pitch);
    high = Math.max(high, pitch);
  }
  const middle = (low + high) / 2;
  const half = Math.max(14, (high - low) / 2 + 2);
  return notes.length ? [middle - half, middle + half] : [48, 72];
}

/** The whole piece at once. */
export function drawThumbnail(canvas, line) {
  const ratio = fit(canvas);
  const context = canvas.getContext('2d');
  const {width, height} = canvas;
  const color = colors(canvas);
  context.clearRect(0, 0, width, height);
  const length = Math.max(line.length, 1e-3);
  if (line.promptEnd > 0) {
    context.fillStyle = color.faint;
    context.fillRect(0, 0, width * Math.min(1, line.promptEnd / length), height);
  }
  const [low, high] = pitchRange(line.notes);
  const row = height / (high - low);
  for (const note of line.notes) {
    context.globalAlpha = 0.45 + (0.55 * note.velocity) / 127;
    context.fillStyle = note.given ? color.given : color.fresh;
    context.fillRect(
      (note.start / length) * width,
      height - (note.pitch - low + 0.5) * row,
      Math.max(ratio, ((note.off - note.start) / length) * width - 0.5 * ratio),
      Math.max(1.2 * ratio, row * 0.85),
    );
  }
  context.globalAlpha = 1;
}

/** The seconds around `now`, with a line where it plays. */
export function drawRoll(canvas, line, now) {
  const ratio = fit(canvas);
  const context = canvas.getContext('2d');
  const {width, height} = canvas;
  const color = colors(canvas);
  context.clearRect(0, 0, width, height);
  const speed = Math.max(52, Math.min(110, width / ratio / 9)) * ratio; // pixels a second
  const head = width * 0.28;
  const x = (seconds) => head + (seconds - now) * speed;
  const from = now - head / speed,
    to = now + (width - head) / speed;
  const [low, high] = pitchRange(line.notes);
  const row = height / (high - low);
  const y = (pitch) => height - (pitch - low + 0.5) * row;
  if (line.promptEnd > from) {
    context.fillStyle = color.faint;
    context.fillRect(Math.max(0, x(0)), 0, x(line.promptEnd) - Math.max(0, x(0)), height);
  }
  context.fillStyle = color.line;
  for (let pitch = Math.ceil(low / 12) * 12; pitch < high; pitch += 12) {
    context.fillRect(0, Math.round(y(pitch) + row), width, Math.max(1, 0.5 * ratio));
  }
  context.font = `${10 * ratio}px system-ui, sans-serif`;
  line.bars.forEach((bar, i) => {
    if (bar < from - 1 || bar > to) return;
    context.fillStyle = color.line;
    context.fillRect(Math.round(x(bar)), 0, ratio, height);
    context.fillStyle = color.muted;
    context.fillText(String(i + 1), x(bar) + 4 * ratio, 11 * ratio);
  });
  context.fillStyle = color.muted;
  context.globalAlpha = 0.5;
  for (const pedal of line.pedals) {
    if (pedal.stop > from && pedal.start < to) {
      context.fillRect(
        x(pedal.start),
        height - 3 * ratio,
        (pedal.stop - pedal.start) * speed - ratio,
        2 * ratio,
      );
    }
  }
  for (const note of line.notes) {
    if (note.off < from) continue;
    if (note.start > to) break;
    const sounds = note.start <= now && note.off > now;
    context.globalAlpha = sounds ? 1 : 0.4 + (0.6 * note.velocity) / 127;
    context.fillStyle = sounds ? color.lit : note.given ? color.given : color.fresh;
    const left = x(note.start),
      size = Math.max(2 * ratio, (note.off - note.start) * speed - ratio);
    context.beginPath();
    context.roundRect(left, y(note.pitch), size, Math.max(2.2 * ratio, row * 0.82), 1.5 * ratio);
    context.fill();
  }
  context.globalAlpha = 1;
  context.fillStyle = color.lit;
  context.fillRect(Math.round(head), 0, ratio, height);
}
