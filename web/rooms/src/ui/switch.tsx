import { useId } from "preact/hooks";

interface Props {
  label: string;
  hint?: string;
  on: boolean;
  set: (on: boolean) => void;
}

export function Switch({ label, hint, on, set }: Props) {
  const id = useId();
  return (
    <label class="switch">
      <span>
        {label}
        {hint && <small id={id}>{hint}</small>}
      </span>
      <input type="checkbox" role="switch" checked={on} aria-describedby={hint && id} onChange={(event) => set(event.currentTarget.checked)} />
    </label>
  );
}
