import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { ROOM, thread } from "../call/conversation";
import { FILE_LIMIT } from "../call/files";
import { Icon } from "./icons";
import { MessageList } from "./messages";
import { useRoom, useValue } from "./watch";

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
  useLayoutEffect(() => {
    if (list.current) list.current.scrollTop = list.current.scrollHeight;
  }, [open, shown.messages.length]);

  const drop = (event: DragEvent) => {
    event.preventDefault();
    for (const file of event.dataTransfer?.files ?? []) room.sendFile(open, file);
  };
  return (
    <div class="chat" onDragOver={(event) => event.preventDefault()} onDrop={drop}>
      <div class="threads" role="tablist" aria-label="Conversations">
        {[...conversations].map(([id, one]) => (
          <button type="button" role="tab" aria-selected={id === open} class="thread" key={id} onClick={() => choose(id)}>
            {id === ROOM ? "Everybody" : room.nameOf(id)}
            {one.unread > 0 && id !== open && <span class="badge inline">{one.unread}</span>}
          </button>
        ))}
      </div>
      <div class="messages" ref={list} role="log" aria-label="Messages" tabIndex={0}>
        {shown.messages.length === 0 && (
          <p class="empty">{open === ROOM ? "What is written here is seen by everybody in the room." : `Only ${room.nameOf(open)} sees this.`}</p>
        )}
        <MessageList messages={shown.messages} />
      </div>
      <p class="typing" aria-live="polite">
        {shown.typing ? `${room.nameOf(open)} is typing…` : ""}
      </p>
      <Composer key={open} to={open} />
    </div>
  );
}

function Composer({ to }: { to: string }) {
  const room = useRoom();
  const [text, setText] = useState("");
  const field = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const forbidden = to === ROOM && room.muted("chat");

  useEffect(() => {
    if (matchMedia("(pointer: fine)").matches) field.current?.focus();
  }, []);
  useLayoutEffect(() => {
    const element = field.current;
    if (!element) return;
    element.style.height = "auto";
    element.style.height = `${element.scrollHeight}px`;
  }, [text]);

  const send = () => {
    if (!text.trim()) return;
    room.talk.say(to, text.trim());
    setText("");
  };
  const attach = (files: Iterable<File>) => {
    for (const file of files) {
      if (file.size > FILE_LIMIT) room.tell(`${file.name} is too large to be sent.`);
      else room.sendFile(to, file);
    }
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <button type="button" class="quiet round" aria-label="Send a file" title="Send a file" disabled={forbidden} onClick={() => picker.current?.click()}>
        <Icon name="attach" />
      </button>
      <input
        ref={picker}
        type="file"
        multiple
        hidden
        onChange={(event) => {
          attach(event.currentTarget.files ?? []);
          event.currentTarget.value = "";
        }}
      />
      <textarea
        ref={field}
        rows={1}
        value={text}
        disabled={forbidden}
        aria-label={to === ROOM ? "Message to everybody" : `Message to ${room.nameOf(to)}`}
        placeholder={forbidden ? "A moderator has muted you" : to === ROOM ? "Message everybody" : `Message ${room.nameOf(to)}`}
        onInput={(event) => {
          setText(event.currentTarget.value);
          room.talk.typed(to, event.currentTarget.value !== "");
        }}
        onPaste={(event) => attach(event.clipboardData?.files ?? [])}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          send();
        }}
      />
      <button type="submit" class="quiet round accent" aria-label="Send" disabled={forbidden || !text.trim()}>
        <Icon name="send" />
      </button>
    </form>
  );
}
