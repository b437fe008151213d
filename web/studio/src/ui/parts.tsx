// Small parts that several panels use.
import type {ComponentChildren} from 'preact';
import {useEffect, useRef} from 'preact/hooks';
import {Icon} from './icons.tsx';

export function IconButton(props: {
  icon: string;
  label: string;
  keys?: string;
  onClick: (event: MouseEvent) => void;
  pressed?: boolean;
  disabled?: boolean;
  class?: string;
}) {
  const {icon, label, keys, onClick, pressed, disabled} = props;
  return (
    <button
      type="button"
      class={`plain ${props.class ?? ''}`}
      title={keys ? `${label} (${keys})` : label}
      aria-label={label}
      aria-keyshortcuts={keys}
      aria-pressed={pressed}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

/** A number with buttons for less and more. */
export function Stepper(props: {
  label: string;
  value: number;
  min: number;
  max: number;
  onInput: (value: number) => void;
}) {
  const {label, value, min, max, onInput} = props;
  const set = (next: number) => onInput(Math.max(min, Math.min(max, Math.round(next) || min)));
  return (
    <span class="stepper">
      <button
        type="button"
        aria-label={`${label}: less`}
        disabled={value <= min}
        onClick={() => set(value - 1)}
      >
        <Icon name="minus" />
      </button>
      <input
        type="number"
        aria-label={label}
        min={min}
        max={max}
        value={value}
        onChange={(event) => set(Number(event.currentTarget.value))}
      />
      <button
        type="button"
        aria-label={`${label}: more`}
        disabled={value >= max}
        onClick={() => set(value + 1)}
      >
        <Icon name="plus" />
      </button>
    </span>
  );
}

/** Arrow keys go from one button of a group to the next, and press it. */
export function groupKeys(event: KeyboardEvent): void {
  const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
  if (!step) return;
  event.preventDefault();
  event.stopPropagation();
  const group = (event.currentTarget as HTMLElement).querySelectorAll('button');
  const buttons = [...group];
  const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
  const next = buttons[(at + step + buttons.length) % buttons.length];
  next.focus();
  next.click();
}

export function Segments<T extends string>(props: {
  label: string;
  value: T;
  options: readonly (readonly [T, string])[];
  onChange: (value: T) => void;
}) {
  return (
    <div class="segments" role="radiogroup" aria-label={props.label} onKeyDown={groupKeys}>
      {props.options.map(([value, text]) => (
        <button
          type="button"
          key={value}
          role="radio"
          aria-checked={value === props.value}
          tabIndex={value === props.value ? 0 : -1}
          onClick={() => props.onChange(value)}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

/** A dialog of the browser, which keeps the focus. */
export function Dialog(props: {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  class?: string;
}) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current!;
    if (!dialog.open) dialog.showModal();
  }, []);
  return (
    <dialog
      ref={element}
      class={props.class}
      aria-label={props.title}
      onClose={props.onClose}
      onClick={(event) => {
        if (event.target === element.current) element.current?.close();
      }}
    >
      <div class="dialog-head">
        <h2>{props.title}</h2>
        <IconButton icon="close" label="Close" onClick={() => element.current?.close()} />
      </div>
      <div class="dialog-body">{props.children}</div>
    </dialog>
  );
}

export const clock = (seconds: number) => {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
};
