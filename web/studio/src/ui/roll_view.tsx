import {useEffect, useRef} from 'preact/hooks';
import {effect} from '@preact/signals';
import {Roll} from '../roll.ts';
import {analyse, pitchName, placeName} from '../song.ts';
import type {Studio} from '../studio.ts';
import type {Inspection} from '../inspection.ts';
import {onTheme} from '../theme.ts';

export function RollView({
  studio,
  inspection,
  onRoll,
}: {
  studio: Studio;
  inspection: Inspection;
  onRoll: (roll: Roll) => void;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const roll = new Roll(
      canvas.current!,
      {
        analysis: studio.analysis.value,
        selection: new Set(),
        bars: null,
        tool: 'select',
        snap: 0.25,
        fresh: null,
        isNew: () => true,
        writtenTo: null,
        chords: [],
        surprise: [],
        muted: new Set(),
        readOnly: false,
        drawTrack: {track: 0, channel: 0},
        follow: true,
      },
      {
        select: (ids) => {
          studio.selection.value = ids;
          if (ids.size === 1) {
            const note = studio.shown.value.notes.find((one) => ids.has(one.id));
            if (note)
              studio.announce(
                `${pitchName(note.pitch)}, ${placeName(studio.analysis.value, note.tick)}, velocity ${note.velocity}`,
              );
          } else if (ids.size > 1) studio.announce(`${ids.size} notes selected`);
        },
        selectBars: (bars) => {
          studio.bars.value = bars;
          if (bars) {
            const text =
              bars.first === bars.last
                ? `Bar ${bars.first + 1}`
                : `Bars ${bars.first + 1} to ${bars.last + 1}`;
            studio.announce(`${text} selected`);
          }
        },
        seek: (tick) => studio.player.seek(tick),
        add: (notes) => studio.addNotes(notes),
        change: (ids, change, label) => studio.change(ids, change, label),
        touchKey: (pitch) => studio.player.touch(pitch, 84, programOf(studio)),
        preview: ({pitch, velocity, track}) => {
          if (studio.player.playing) return;
          const info = analyse(studio.shown.value).tracks[track];
          const release = studio.player.touch(
            pitch,
            velocity,
            info?.program ?? 0,
            info?.drum ?? false,
          );
          setTimeout(release, 260);
        },
        scrolled: () => {
          if (studio.player.playing) studio.follow.value = false;
        },
      },
    );
    roll.watch(() => ({tick: studio.player.tick, playing: studio.player.playing}));
    let shape = '';
    let lookedAt: unknown = null;
    const end = effect(() => {
      const analysis = studio.analysis.value;
      const horizon = studio.horizon();
      roll.set({
        analysis,
        selection: studio.selection.value,
        bars: studio.bars.value,
        tool: studio.tool.value,
        snap: studio.snap.value,
        fresh: studio.freshShown(),
        isNew: studio.isNewShown(),
        writtenTo: horizon,
        chords: inspection.chords.value,
        surprise: inspection.surprise.value,
        muted: hidden(studio),
        readOnly: studio.readOnly,
        drawTrack: studio.target(),
        follow: studio.follow.value,
      });
      const looking = studio.looking.value;
      if (looking !== lookedAt) {
        lookedAt = looking;
        const fresh = studio.freshShown();
        if (fresh && !studio.player.playing) roll.reveal(analysis.bar(fresh.first).tick);
      }
      // Another piece, or the first notes: show all of it.
      const now = `${studio.pieceId.value}/${analysis.end > 0}/${studio.liveSong.value !== null && !studio.song.value.notes.length}`;
      if (now !== shape || (studio.liveSong.value && !studio.song.value.notes.length)) {
        if (!shape.startsWith(`${studio.pieceId.value}/`)) roll.home();
        shape = now;
        roll.fit();
      }
    });
    const off = onTheme(() => roll.themeChanged());
    onRoll(roll);
    return () => {
      off();
      end();
      roll.destroy();
    };
  }, []);
  return (
    <canvas
      ref={canvas}
      class="roll"
      tabIndex={0}
      role="application"
      aria-roledescription="piano roll"
      aria-label="Piano roll. Comma and full stop go from note to note, arrow keys move the selected notes, Delete removes them; question mark lists all keys."
    />
  );
}

function programOf(studio: Studio): number {
  return studio.analysis.value.tracks[studio.target().track]?.program ?? 0;
}

function hidden(studio: Studio): ReadonlySet<number> {
  const {value: solo} = studio.solo;
  if (solo.size === 0) return studio.muted.value;
  return new Set(studio.shown.value.tracks.map((_, i) => i).filter((i) => !solo.has(i)));
}
