import { ROOM, thread } from "../call/conversation";
import type { Room } from "../call/room";
import { useRoom, useValue } from "./watch";

interface Props {
  open: string;
  choose: (thread: string) => void;
}

/** Whose words are shown; arrows move (WAI-ARIA tabs). */
export function Threads({ open, choose }: Props) {
  const room = useRoom();
  const conversations = useValue(room.talk.conversations);
  const ids = [...conversations.keys()];
  const step = (event: KeyboardEvent) => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const next = (ids.indexOf(open) + by + ids.length) % ids.length;
    if (by === 0) return;
    event.preventDefault();
    choose(ids[next] ?? ROOM);
    (event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("[role=tab]")[next]?.focus();
  };
  return (
    <div class="threads" role="tablist" aria-label="Conversations" onKeyDown={step}>
      {[...conversations].map(([id, one]) => (
        <button type="button" role="tab" aria-selected={id === open} tabIndex={id === open ? 0 : -1} class="thread" key={id} onClick={() => choose(id)}>
          {id === ROOM ? "Everybody" : nameIn(room, id)}
          {one.unread > 0 && id !== open && (
            <span class="badge inline">
              {one.unread}
              <span class="spoken"> unread</span>
            </span>
          )}
        </button>
      ))}
    </div>
  );
}

/** Also of somebody who has left: as they were called when they wrote. */
export function nameIn(room: Room, id: string): string {
  if (room.view.get().roster.has(id)) return room.nameOf(id);
  const { messages } = thread(room.talk.conversations.get(), id);
  return messages.find((one) => one.from === id)?.name ?? room.nameOf(id);
}
