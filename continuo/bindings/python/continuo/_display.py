"""Scores in notebooks: a piano roll that plays, in one piece of HTML without other files."""

from __future__ import annotations

import html
import itertools
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from continuo._score import Score

WIDTH = 960
HEIGHT = 240
# More notes than this are not played.
MOST_NOTES = 10000

_numbers = itertools.count(1)

# A player of a few oscillators: nothing that would have to be fetched.
_SCRIPT = """
(function () {
  const box = document.getElementById("ID"), notes = NOTES, end = END, shown = SHOWN;
  const button = box.querySelector("button"), line = box.querySelector(".cursor"), svg = box.querySelector("svg");
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
      const x = LEFT + PLOT * Math.min(Math.max(now, 0) / shown, 1);
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      if (now > end + 0.5) stop();
    }, 50);
  }
  button.onclick = function () { if (context) stop(); else play(0); };
  svg.onclick = function (event) {
    const frame = svg.getBoundingClientRect();
    const x = WIDTH * (event.clientX - frame.left) / frame.width;
    stop();
    play(shown * Math.min(Math.max((x - LEFT) / PLOT, 0), 1));
  };
})();
"""


def html_of(score: Score) -> str:
    """A piano roll (SVG) of all tracks, and a player."""
    duration = max(score.duration, 1e-3)
    sounds = []
    left = MOST_NOTES
    for track in score.tracks:
        notes = track.notes[:left]
        left -= len(notes)
        begin = score.seconds(notes["time"])
        length = score.seconds(notes["time"] + notes["duration"]) - begin
        for at, seconds, pitch, velocity in zip(
            begin.tolist(), length.tolist(), notes["pitch"].tolist(), notes["velocity"].tolist()
        ):
            sounds.append([round(at, 3), round(seconds, 3), pitch, velocity, int(track.is_drum)])
    sounds.sort()
    bars = score.bars
    caption = f"{bars} bars, {len(score.notes)} notes, {duration:.1f} s"
    svg, plot_left, plot_width = score._core.svg(
        0, max(bars, 1), "none", WIDTH, HEIGHT, False, True, f"piano roll: {caption}"
    )
    svg = svg.replace(' xmlns="http://www.w3.org/2000/svg"', "", 1)  # a page has no need of it
    end = float(score.seconds(score.bar_lines[-1]))  # of the picture: the last bar's
    name = f"continuo-{next(_numbers)}-{abs(hash((len(sounds), duration))) % 10**8}"
    script = (
        _SCRIPT.replace("NOTES", json.dumps(sounds, separators=(",", ":")))
        .replace("SHOWN", f"{max(end, 1e-3):.3f}")
        .replace("END", f"{duration:.3f}")
        .replace("LEFT", f"{plot_left:g}")
        .replace("PLOT", f"{plot_width:g}")
        .replace("WIDTH", str(WIDTH))
        .replace("ID", name)
    )
    return (
        f'<div id="{name}" style="max-width:{WIDTH}px">{svg}'
        f'<button type="button">\u25b6 Play</button> <small>{html.escape(caption)}</small>'
        f"<script>{script}</script></div>"
    )
