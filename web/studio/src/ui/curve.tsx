import {useRef} from 'preact/hooks';
import {clamp} from '../song.ts';

const kPoints = 9;

/** A curve over the bars, drawn by dragging; by keys, each of its points. */
export function CurveField(props: {
  label: string;
  value: number[] | null;
  ends: [string, string];
  onChange: (value: number[] | null) => void;
}) {
  const {label, value, ends, onChange} = props;
  const box = useRef<SVGSVGElement>(null);
  const points = value ?? new Array<number>(kPoints).fill(0.5);
  const set = (index: number, to: number) =>
    onChange(
      points.map((point, i) => (i === index ? Math.round(clamp(to, 0, 1) * 100) / 100 : point)),
    );
  const drag = (event: PointerEvent) => {
    if (event.buttons === 0) return;
    const {left, top, width, height} = box.current!.getBoundingClientRect();
    const index = clamp(
      Math.round(((event.clientX - left) / width) * (kPoints - 1)),
      0,
      kPoints - 1,
    );
    set(index, 1 - (event.clientY - top) / height);
  };
  const line = points
    .map((point, i) => `${(i / (kPoints - 1)) * 100},${(1 - point) * 40}`)
    .join(' ');
  return (
    <div class="curve">
      <span class="label">
        {label}
        {value && (
          <button type="button" class="quiet" onClick={() => onChange(null)}>
            as the model likes
          </button>
        )}
      </span>
      <svg
        ref={box}
        viewBox="-2 -2 104 44"
        preserveAspectRatio="none"
        class={value ? '' : 'unset'}
        onPointerDown={(event) => {
          box.current!.setPointerCapture(event.pointerId);
          drag(event);
        }}
        onPointerMove={drag}
      >
        <polyline points={line} />
      </svg>
      <div class="points">
        {points.map((point, i) => (
          <input
            key={i}
            type="range"
            class="hidden-range"
            min={0}
            max={1}
            step={0.05}
            value={point}
            aria-label={`${label}, point ${i + 1} of ${kPoints}, from ${ends[0]} to ${ends[1]}`}
            onInput={(event) => set(i, Number(event.currentTarget.value))}
          />
        ))}
      </div>
    </div>
  );
}
