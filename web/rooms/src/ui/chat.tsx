import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { ROOM, thread } from "../call/conversation";
import { Composer, attach } from "./composer";
import { MessageList } from "./messages";
import { Threads, nameIn } from "./threads";
import { useRoom, useValue } from "./watch";

const NEAR = 40; // pixels from the end that are the end

interface Props {
  open: string;
  choose: (thread: string) => void;
}

/** The conversations: with everybody, and with one at a time. */
export function Chat({ open, choose }: Props) {
  const room = useRoom();
  const conversations = useValue(room.talk.conversations);
  const list = useRef<HTMLDivElement>(null);
  const shown = thread(conversations, open);

  useEffect(() => {
    room.talk.look(open);
    return () => room.talk.look(undefined);
  }, [open]);
  // What is new is shown, but not to somebody who reads further up.
  const atEnd = useRef(true);
  const own = shown.messages.at(-1)?.from === "";
  useLayoutEffect(() => {
    if (list.current && (atEnd.current || own)) list.current.scrollTop = list.current.scrollHeight;
  }, [shown.messages]);
  useLayoutEffect(() => {
    if (list.current) list.current.scrollTop = list.current.scrollHeight;
  }, [open]);

  const scrolled = ({ currentTarget: { scrollTop, scrollHeight, clientHeight } }: preact.TargetedEvent<HTMLElement>) => {
    atEnd.current = scrollHeight - scrollTop - clientHeight < NEAR;
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    attach(room, open, event.dataTransfer?.files ?? []);
  };
  return (
    <div class="chat" onDragOver={(event) => event.preventDefault()} onDrop={drop}>
      <Threads open={open} choose={choose} />
      <div class="messages" ref={list} role="log" aria-label="Messages" tabIndex={0} onScroll={scrolled}>
        {shown.messages.length === 0 && (
          <p class="empty">{open === ROOM ? "What is written here is seen by everybody in the room." : `Only ${nameIn(room, open)} sees this.`}</p>
        )}
        <MessageList messages={shown.messages} />
      </div>
      <p class="typing" aria-live="polite">
        {shown.typing ? `${nameIn(room, open)} is typing…` : ""}
      </p>
      <Composer key={open} to={open} />
    </div>
  );
}
