/** What has been said, by thread. Pure: conversations and an event in, conversations out. */

import type { ChatBody, FileInfo, Id, Said } from "../protocol/documents";

export const KEPT = 1_000; // messages in a thread; older ones go
export const ROOM = ""; // the thread of everybody

export type Delivery = "sending" | "sent" | "delivered" | "read";

export interface Message {
  mid: string;
  /** "": ours. */
  from: Id;
  /** As it was called when it said so. */
  name: string;
  text: string;
  /** ms since 1970 */
  time: number;
  delivery: Delivery | undefined;
  file: FileInfo | undefined;
  location: { latitude: number; longitude: number } | undefined;
  /** Said by the server or an operator. */
  notice: boolean;
}

export interface Thread {
  messages: readonly Message[];
  unread: number;
  typing: boolean;
}

export type Conversations = ReadonlyMap<Id, Thread>;

const NEW_THREAD: Thread = { messages: [], unread: 0, typing: false };

export const NO_CONVERSATIONS: Conversations = new Map([[ROOM, NEW_THREAD]]);

export function thread(of: Conversations, id: Id): Thread {
  return of.get(id) ?? NEW_THREAD;
}

/** Add a message; `open` is the thread somebody looks at, whose messages are read at once. */
export function said(of: Conversations, id: Id, message: Message, open: Id | undefined): Conversations {
  const before = thread(of, id);
  if (message.mid && before.messages.some((one) => one.mid === message.mid && one.from === message.from)) return of;
  const unread = message.from === "" || open === id ? before.unread : before.unread + 1;
  return put(of, id, { messages: [...before.messages, message].slice(-KEPT), unread, typing: false });
}

/** What was said before we came goes before what we have seen. */
export function remembered(of: Conversations, history: readonly Said[], name: (one: Said) => string): Conversations {
  const before = thread(of, ROOM);
  if (before.messages.length > 0) return of;
  const messages = history.slice(-KEPT).map((one, index) => ({
    mid: `history-${index}`,
    from: one.from,
    name: name(one),
    text: one.message,
    time: timeOf(one.time),
    delivery: undefined,
    file: undefined,
    location: undefined,
    notice: false,
  }));
  return put(of, ROOM, { ...before, messages });
}

const ORDER: readonly Delivery[] = ["sending", "sent", "delivered", "read"];

/** A message of ours got further; it never goes back. */
export function delivered(of: Conversations, id: Id, mids: readonly string[], delivery: Delivery): Conversations {
  const before = of.get(id);
  if (!before) return of;
  const messages = before.messages.map((one) =>
    one.from === "" && mids.includes(one.mid) && ORDER.indexOf(delivery) > ORDER.indexOf(one.delivery ?? "sending")
      ? { ...one, delivery }
      : one,
  );
  return put(of, id, { ...before, messages });
}

export function typing(of: Conversations, id: Id, does: boolean): Conversations {
  const before = thread(of, id);
  return before.typing === does ? of : put(of, id, { ...before, typing: does });
}

export function read(of: Conversations, id: Id): Conversations {
  const before = of.get(id);
  return before && before.unread > 0 ? put(of, id, { ...before, unread: 0 }) : of;
}

export function unread(of: Conversations): number {
  let sum = 0;
  for (const one of of.values()) sum += one.unread;
  return sum;
}

export function received(from: Id, name: string, chat: ChatBody): Message {
  return {
    mid: chat.mid,
    from,
    name,
    text: chat.message,
    time: timeOf(chat.time),
    delivery: undefined,
    file: chat.file,
    location: chat.location,
    notice: false,
  };
}

export function notice(text: string, time: number): Message {
  return {
    mid: "",
    from: "server",
    name: "",
    text,
    time,
    delivery: undefined,
    file: undefined,
    location: undefined,
    notice: true,
  };
}

function put(of: Conversations, id: Id, next: Thread): Conversations {
  return new Map(of).set(id, next);
}

function timeOf(rfc3339: string): number {
  const time = Date.parse(rfc3339);
  return Number.isNaN(time) ? Date.now() : time;
}
