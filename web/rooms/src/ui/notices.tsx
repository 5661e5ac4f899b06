import { useRoom } from "./watch";

/** What happened just now, for eyes and for screen readers. */
export function Notices() {
  const room = useRoom();
  return (
    <div class="notices" role="status" aria-live="polite">
      {room.view.get().notices.map((one) => (
        <p class="toast" key={one.id}>
          {one.text}
        </p>
      ))}
    </div>
  );
}
