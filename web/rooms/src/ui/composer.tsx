import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { ROOM } from "../call/conversation";
import { FILE_LIMIT } from "../call/files";
import type { Room } from "../call/room";
import { Icon } from "./icons";
import { nameIn } from "./threads";
import { useRoom } from "./watch";

/** Where one writes, and sends files from. */
export function Composer({ to }: { to: string }) {
  const room = useRoom();
  const [text, setText] = useState("");
  const field = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const forbidden = forbids(room, to);

  useEffect(() => {
    // Not on phones, where a keyboard would cover what is read; nor from under somebody who goes along the tabs.
    if (matchMedia("(pointer: fine)").matches && !document.activeElement?.matches("[role=tab]:focus-visible")) field.current?.focus();
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
          attach(room, to, event.currentTarget.files ?? []);
          event.currentTarget.value = "";
        }}
      />
      <textarea
        ref={field}
        rows={1}
        value={text}
        disabled={forbidden}
        aria-label={to === ROOM ? "Message to everybody" : `Message to ${nameIn(room, to)}`}
        placeholder={forbidden ? "A moderator has muted you" : to === ROOM ? "Message everybody" : `Message ${nameIn(room, to)}`}
        onInput={(event) => {
          setText(event.currentTarget.value);
          room.talk.typed(to, event.currentTarget.value !== "");
        }}
        onPaste={(event) => attach(room, to, event.clipboardData?.files ?? [])}
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

function forbids(room: Room, to: string): boolean {
  return to === ROOM && room.muted("chat");
}

/** Offer files to somebody, or to everybody: nothing where a moderator forbids to write. */
export function attach(room: Room, to: string, files: Iterable<File>): void {
  for (const file of files) {
    if (forbids(room, to)) return;
    if (file.size > FILE_LIMIT) room.tell(`${file.name} is too large to be sent.`);
    else room.sendFile(to, file);
  }
}
