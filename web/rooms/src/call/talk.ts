/** The chat of a room, and that between two. */

import type { ChatBody, FileInfo, Id, Incoming, Outgoing } from "../protocol/documents";
import { nested } from "../protocol/documents";
import { Value } from "../value";
import * as log from "./conversation";

const TYPING_FOR = 4_000; // ms after the last key that somebody still types
const MESSAGE_LIMIT = 200_000; // characters, as the old client

export interface TalkEvents {
  send(document: Outgoing): void;
  nameOf(id: Id): string;
  /** A message came that nobody looks at. */
  unseen(message: log.Message, thread: Id): void;
}

export class Talk {
  readonly conversations = new Value<log.Conversations>(log.NO_CONVERSATIONS);
  /** The thread somebody looks at. */
  private open: Id | undefined;
  private counter = 0;
  private typingTo: Id | undefined;
  private typingTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly theirTimers = new Map<Id, ReturnType<typeof setTimeout>>();

  constructor(private readonly events: TalkEvents) {}

  say(to: Id, text: string, file?: FileInfo): void {
    const message = text.slice(0, MESSAGE_LIMIT);
    const mid = `${Date.now().toString(36)}-${++this.counter}`;
    this.typed(to, false);
    this.chat(to, { Message: message, NoEcho: true, Mid: mid, ...(file ? { Status: { FileInfo: file } } : {}) });
    this.conversations.update((now) =>
      log.said(now, to, { ...OWN, mid, text: message, time: Date.now(), delivery: to ? "sending" : undefined, file }, this.open),
    );
  }

  /** A Status in a chat document, without words: requests, acknowledgements. */
  signal(to: Id, status: Record<string, unknown>): void {
    this.chat(to, { Message: "", NoEcho: true, Status: status });
  }

  take(from: Id, to: Id, self: Id, chat: ChatBody): void {
    if (from === self) return this.acknowledged(to, chat);
    const id = to === "" ? log.ROOM : from;
    if (chat.typing) return this.theyType(id, chat.typing === "start");
    if (chat.state || chat.seen.length > 0) return this.acknowledged(from, chat);
    if (!chat.message && !chat.file && !chat.location) return;
    const message = log.received(from, this.events.nameOf(from), chat);
    this.conversations.update((now) => log.said(now, id, message, this.open));
    if (id !== log.ROOM && chat.mid) this.signal(from, { Mid: chat.mid, State: "delivered" });
    if (this.open === id) this.seen(id, [message]);
    else this.events.unseen(message, id);
  }

  /** What the server says of a message of ours comes from ourselves: `sent`. */
  private acknowledged(thread: Id, chat: ChatBody): void {
    if (chat.seen.length > 0) this.conversations.update((now) => log.delivered(now, thread, chat.seen, "read"));
    if (!chat.state) return;
    const { mid, state } = chat.state;
    if (state === "delivered") this.conversations.update((now) => log.delivered(now, thread, [mid], "delivered"));
    if (state !== "sent") return;
    for (const id of this.conversations.get().keys()) {
      if (id !== log.ROOM) this.conversations.update((now) => log.delivered(now, id, [mid], "sent"));
    }
  }

  notice(text: string): void {
    this.conversations.update((now) => log.said(now, log.ROOM, log.notice(text, Date.now()), this.open));
  }

  history(data: Extract<Incoming, { type: "History" }>, self: Id): void {
    this.conversations.update((now) =>
      log.remembered(
        now,
        data.messages.map((one) => (one.from === self ? { ...one, from: "" } : one)),
        (one) => this.events.nameOf(one.from),
      ),
    );
  }

  /** Somebody looks at this thread, or at none. */
  look(id: Id | undefined): void {
    this.open = id;
    if (id === undefined) return;
    const { messages, unread } = log.thread(this.conversations.get(), id);
    this.conversations.update((now) => log.read(now.has(id) ? now : new Map(now).set(id, log.thread(now, id)), id));
    if (unread > 0) this.seen(id, messages.filter((one) => one.from !== "").slice(-unread));
  }

  /** Our person types, or has stopped. Only the other one of two is told. */
  typed(to: Id, does: boolean): void {
    clearTimeout(this.typingTimer);
    if (to === log.ROOM) return;
    if (does) this.typingTimer = setTimeout(() => this.typed(to, false), TYPING_FOR);
    if ((this.typingTo === to) === does) return;
    this.typingTo = does ? to : undefined;
    this.signal(to, { Typing: does ? "start" : "stop" });
  }

  clear(): void {
    clearTimeout(this.typingTimer);
    for (const timer of this.theirTimers.values()) clearTimeout(timer);
    this.theirTimers.clear();
    this.typingTo = undefined;
    this.conversations.set(log.NO_CONVERSATIONS);
  }

  private theyType(id: Id, does: boolean): void {
    if (id === log.ROOM || !this.conversations.get().has(id)) return;
    clearTimeout(this.theirTimers.get(id));
    this.conversations.update((now) => log.typing(now, id, does));
    // The word that they stopped may be lost.
    if (does) this.theirTimers.set(id, setTimeout(() => this.theyType(id, false), 3 * TYPING_FOR));
  }

  private seen(id: Id, messages: readonly log.Message[]): void {
    const mids = messages.map((one) => one.mid).filter(Boolean);
    if (id !== log.ROOM && mids.length > 0) this.signal(id, { SeenMids: mids.slice(-100) });
  }

  private chat(to: Id, chat: Record<string, unknown>): void {
    this.events.send(nested("Chat", { To: to, Chat: chat }));
  }
}

const OWN: log.Message = {
  mid: "",
  from: "",
  name: "",
  text: "",
  time: 0,
  delivery: undefined,
  file: undefined,
  location: undefined,
  notice: false,
};
