import { useRoom, useValue } from "./watch";

/** What happened just now, for eyes and for screen readers. */
export function Notices() {
  const shown = useValue(useRoom().notices.shown);
  return (
    <div class="notices" role="status" aria-live="polite">
      {shown.map((one) => (
        <p class="toast" key={one.id}>
          {one.text}
        </p>
      ))}
    </div>
  );
}
