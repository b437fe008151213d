"""Scores in notebooks: a piano roll that plays, in one piece of HTML without other files."""

from __future__ import annotations

import html
import itertools
import json
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from continuo._score import Score

WIDTH = 960
HEIGHT = 240
# More notes than this are left out of the picture, which a browser draws one by one.
MOST_NOTES = 10000

_COLOURS = ("#3b6fb6", "#c0504d", "#5b9a4c", "#8064a2", "#d28b26", "#3f9fb0", "#a0522d", "#6b6b6b")
_numbers = itertools.count(1)

# A player of a few oscillators: nothing that would have to be fetched.
_SCRIPT = """
(function () {
  const box = document.getElementById("ID"), notes = NOTES, end = END;
  const button = box.querySelector("button"), line = box.querySelector("line"), svg = box.querySelector("svg");
  let context = null, timer = 0;
  function stop() {
    if (context) context.close();
    context = null;
    clearInterval(timer);
    button.textContent = "\\u25b6 Play";
    line.setAttribute("visibility", "hidden");
  }
  function sound(at, length, pitch, velocity, drum) {
    const volume = context.createGain(), level = 0.12 * velocity / 127;
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(level, at + 0.005);
    volume.gain.setTargetAtTime(0, at + 0.01, drum ? 0.04 : 0.6);
    volume.gain.setTargetAtTime(0, at + length, 0.05);
    volume.connect(context.destination);
    const voice = context.createOscillator();
    voice.type = drum ? "square" : "triangle";
    voice.frequency.value = drum ? 60 + pitch : 440 * Math.pow(2, (pitch - 69) / 12);
    voice.connect(volume);
    voice.start(at);
    voice.stop(at + (drum ? 0.15 : length + 0.3));
  }
  function play(from) {
    context = new (window.AudioContext || window.webkitAudioContext)();
    const start = context.currentTime + 0.1 - from;
    let next = notes.findIndex(function (note) { return note[0] >= from; });
    if (next < 0) next = notes.length;
    button.textContent = "\\u25a0 Stop";
    line.setAttribute("visibility", "visible");
    timer = setInterval(function () {
      const now = context.currentTime - start;
      while (next < notes.length && notes[next][0] < now + 0.5) {
        const note = notes[next++];
        sound(Math.max(start + note[0], context.currentTime), note[1], note[2], note[3], note[4]);
      }
      const x = WIDTH * Math.max(now, 0) / end;
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      if (now > end + 0.5) stop();
    }, 50);
  }
  button.onclick = function () { if (context) stop(); else play(0); };
  svg.onclick = function (event) {
    const frame = svg.getBoundingClientRect();
    stop();
    play(end * (event.clientX - frame.left) / frame.width);
  };
})();
"""


def html_of(score: Score) -> str:
    """A piano roll (SVG) of all tracks, and a player."""
    starts, rectangles, sounds = [], [], []
    duration = max(score.duration, 1e-3)
    tracks = [track for track in score.tracks if len(track)]
    pitches = np.concatenate([track.notes["pitch"] for track in tracks]) if tracks else np.array([60])
    low, high = int(pitches.min()), int(pitches.max())
    row = HEIGHT / max(high - low + 1, 12)
    left = MOST_NOTES
    for number, track in enumerate(tracks):
        notes = track.notes[:left]
        left -= len(notes)
        begin = score.seconds(notes["time"])
        length = score.seconds(notes["time"] + notes["duration"]) - begin
        colour = _COLOURS[number % len(_COLOURS)]
        rectangles.append(f'<g fill="{colour}">')
        for at, seconds, pitch, velocity in zip(
            begin.tolist(), length.tolist(), notes["pitch"].tolist(), notes["velocity"].tolist()
        ):
            x, width = WIDTH * at / duration, max(WIDTH * seconds / duration, 1)
            y = (high - pitch) * row
            rectangles.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{row:.1f}" opacity="{0.4 + velocity / 212:.2f}"/>'
            )
            sounds.append([round(at, 3), round(seconds, 3), pitch, velocity, int(track.is_drum)])
        rectangles.append("</g>")
    starts = score.seconds(score.bar_lines[:2048]).tolist()
    bars = "".join(
        f'<path d="M{WIDTH * at / duration:.1f} 0V{HEIGHT}" stroke="#ddd" stroke-width="{1 if i % 4 else 2}"/>'
        for i, at in enumerate(starts)
        if at <= duration
    )
    sounds.sort()
    name = f"continuo-{next(_numbers)}-{abs(hash((len(sounds), duration))) % 10**8}"
    script = (
        _SCRIPT.replace("NOTES", json.dumps(sounds, separators=(",", ":")))
        .replace("END", f"{duration:.3f}")
        .replace("WIDTH", str(WIDTH))
        .replace("ID", name)
    )
    caption = html.escape(f"{score.bars} bars, {len(score.notes)} notes, {duration:.1f} s")
    return (
        f'<div id="{name}" style="max-width:{WIDTH}px">'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" role="img" aria-label="piano roll: {caption}" '
        f'style="background:#fff;border:1px solid #ccc">{bars}{"".join(rectangles)}'
        f'<line y1="0" y2="{HEIGHT}" stroke="#e00" visibility="hidden"/></svg>'
        f'<button type="button">\u25b6 Play</button> <small>{caption}</small>'
        f"<script>{script}</script></div>"
    )
