/** A person in a room: puts channel, calls, chat and screens together, and is what the page shows. */

import { preferences } from "../preferences";
import { Channel, type Link, type Listener } from "../protocol/channel";
import { decodeInner } from "../protocol/decode";
import type { Envelope, Id, Incoming, Outgoing, RoomName, RoomState } from "../protocol/documents";
import { nested } from "../protocol/documents";
import type { Account, ServerConfig } from "../protocol/rest";
import { Value } from "../value";
import { type Identity, keepAccount, keptAccount, signIn, signUp } from "./account";
import { Entrance } from "./entrance";
import { Files } from "./files";
import { renewal, ways } from "./ice";
import { Media } from "./media";
import { Mesh } from "./mesh";
import { type Action, hand, moderate } from "./moderation";
import { Notices } from "./notices";
import type { LocalTracks } from "./peer";
import { People } from "./people";
import { type Presence, statusOf } from "./presence";
import { type Refusal, complaint } from "./refusal";
import * as roster from "./roster";
import { Screens } from "./screens";
import { Sides } from "./side";
import { Talk } from "./talk";
import { Voices } from "./voices";

export type Phase = "outside" | "joining" | "pin" | "waiting" | "inside" | "refused" | "removed" | "left";

export interface RoomView {
  phase: Phase;
  refusal: Refusal | undefined;
  link: Link;
  self: Id;
  userid: string;
  room: RoomName;
  roster: roster.Roster;
  state: RoomState | undefined;
  /** Goes up when a call, a screen or a transfer changed, which are read where they are. */
  pulse: number;
}

const STATUS_DELAY = 250; // ms: changes close together are told once
const GOING = 1_500; // ms in which a server that ends closes our socket too, after it has said that others left
const COMING = 15_000; // ms in which others come back to a server that was gone

export class Room implements Listener {
  readonly view: Value<RoomView>;
  readonly media = new Media();
  readonly notices = new Notices();
  readonly voices: Voices;
  readonly talk: Talk;
  readonly people: People;
  readonly mesh: Mesh;
  readonly screens: Screens;
  readonly files: Files;

  private readonly channel: Channel;
  private readonly entrance: Entrance;
  private readonly sides: Sides;
  private identity: Identity = { id: "", sid: "" };
  private ice: RTCConfiguration = {};
  private told = "";
  private conferences = 0;
  private statusTimer: ReturnType<typeof setTimeout> | undefined;
  private turnTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    name: string,
    socketUrl: string,
    private readonly config: ServerConfig,
  ) {
    const place = { type: "", name };
    this.view = new Value<RoomView>({
      phase: "outside",
      refusal: undefined,
      link: "closed",
      self: "",
      userid: "",
      room: place,
      roster: roster.EMPTY,
      state: undefined,
      pulse: 0,
    });
    this.channel = new Channel(socketUrl, this);
    this.entrance = new Entrance(place, this.channel, {
      greet: () => {
        this.told = "";
        this.tellPresence();
      },
      inside: (welcome) => this.inside(welcome),
      waiting: () => this.set({ phase: "waiting" }),
      refused: (why) => this.refused(why),
      back: (users) => this.listed(users),
    });
    const send = (document: Outgoing) => this.channel.send(document);
    const nameOf = (id: Id) => this.nameOf(id);
    this.talk = new Talk({ send, nameOf, unseen: (message) => this.tell(`${message.name}: ${message.text.slice(0, 80) || "sent a file"}`) });
    this.people = new People({
      signal: (to, status) => this.talk.signal(to, status),
      ask: (document) => this.channel.ask(document),
      nameOf,
      tell: (text) => this.tell(text),
    });
    this.sides = new Sides(send, () => this.ice);
    this.files = new Files(this.sides, () => this.pulse());
    this.screens = new Screens(() => this.identity.id, this.sides, {
      announce: (token) => this.mesh.tell(announcement(token)),
      changed: () => this.pulse(),
    });
    this.mesh = new Mesh(() => this.identity.id, this.ice, this.tracks(), {
      send,
      changed: () => this.pulse(),
      connected: (id) => this.connected(id),
      opened: (id) => this.screens.announced && this.mesh.peers.get(id)?.tell(announcement(this.screens.announced)),
      inner: (id, text) => this.inner(id, text),
      ours: (id) => {
        const one = this.view.get().roster.get(id);
        return one !== undefined && !one.away && roster.answersUnasked(one);
      },
      admits: (id) => this.view.get().roster.has(id),
    });
    this.voices = new Voices({
      self: () => this.identity.id,
      peers: () => this.mesh.peers,
      muted: (id) => this.muted("audio", id),
      spoke: (speaks) => this.mesh.tell({ Type: "Talking", Talking: speaks }),
    });
    this.media.state.watch(() => this.mediaChanged());
    preferences.watch(() => this.presenceChanged());
  }

  // What a person does.

  enter(pin?: string): void {
    if (pin !== undefined) this.entrance.carry(pin);
    this.set({ phase: "joining", refusal: undefined });
    void this.media.start();
    if (this.view.get().link === "open") void this.entrance.hello();
    else this.channel.open();
  }

  leave(): void {
    this.end("left");
  }

  /** Go to another room without leaving the page, as into a breakout room. */
  move(to: RoomName): void {
    this.entrance.place = to;
    this.stopCalls();
    this.talk.clear();
    void this.entrance.hello();
  }

  async act(action: Action): Promise<void> {
    this.answered(await this.channel.ask(moderate(action)));
  }

  async raise(raised: boolean): Promise<void> {
    this.answered(await this.channel.ask(hand(raised)));
  }

  /** Set the room's PIN; "" takes it away. */
  async setPin(pin: string): Promise<void> {
    const { room } = this.view.get();
    const answer = await this.channel.ask({ Type: "Room", Room: { Type: room.type, Name: room.name, Credentials: { PIN: pin } } });
    if (answer.type === "Error") return this.tell(complaint(answer.code) ?? answer.message);
    this.entrance.carry(pin || undefined);
    this.tell(pin ? "The room has a new PIN." : "The room has no PIN any more.");
  }

  sendFile(to: Id, file: File): void {
    this.talk.say(to, "", this.files.offer(file));
  }

  async shareScreen(): Promise<void> {
    try {
      await this.screens.share();
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "NotAllowedError")) this.tell("The screen cannot be shared.");
    }
  }

  /** `undefined` makes a new account. Throws `RestError`. */
  async authenticate(account: Account | undefined): Promise<void> {
    const document = account ? await signIn(this.identity, account) : await signUp(this.identity);
    const answer = await this.channel.ask(document);
    if (answer.type === "Error") return this.tell(answer.message);
    if (account) keepAccount(account);
    if (answer.type === "Self") this.became(answer);
  }

  /** Muted by a moderator. */
  muted(medium: "audio" | "video" | "screen" | "chat", id: Id = this.identity.id): boolean {
    return this.view.get().state?.muted[id]?.includes(medium) === true;
  }

  moderator(id: Id = this.identity.id): boolean {
    return this.view.get().state?.moderators.includes(id) === true;
  }

  nameOf(id: Id): string {
    const { roster: all, state } = this.view.get();
    const known = all.get(id) ?? state?.waiting.filter((one) => one.id === id).map(roster.participant)[0];
    return known?.name ?? "Somebody";
  }

  wake(): void {
    this.channel.wake();
    this.mesh.heal();
  }

  tell(text: string): void {
    this.notices.tell(text);
  }

  // What the channel says.

  link(link: Link): void {
    this.set({ link });
  }

  opened(self: Extract<Incoming, { type: "Self" }>, resumes: boolean): void {
    const before = this.identity.id;
    this.entrance.opening();
    this.became(self);
    if (before && before !== self.id) this.stopCalls(); // those we called know us no more
    void this.authenticateKept().then(() => this.entrance.comeIn(resumes));
  }

  expelled(): void {
    this.end("removed");
  }

  document({ from, to, data }: Envelope): void {
    const { id } = this.identity;
    const now = this.view.get();
    switch (data.type) {
      case "Self":
        return this.became(data);
      case "Resumed":
        this.entrance.hasResumed();
        this.channel.release();
        this.tellPresence();
        return this.mesh.heal();
      case "Welcome":
        return this.inside(data);
      case "Waiting":
        return this.set({ phase: "waiting" });
      case "Users":
        return this.listed(data.users);
      case "Joined":
        this.set({ roster: roster.joined(now.roster, data.session, id) });
        if (!now.roster.has(data.session.id)) this.tell(`${this.nameOf(data.session.id)} has joined`);
        return;
      case "Left":
        return data.hard && this.flows(data.id) ? this.miss(data.id) : this.gone(data.id);
      case "Status":
        return this.set({ roster: roster.status(now.roster, data.id, data.status, data.userid) });
      case "Offer":
      case "Answer":
      case "Candidate":
        if (data.tag) return this.sides.take(from, data, data.tag);
        return this.mesh.take(from, data);
      case "Bye":
        return this.mesh.take(from, data);
      case "Conference":
        // From the server, or from somebody we talk with and who is part of it.
        if (!from || (this.mesh.peers.has(from) && data.ids.includes(from))) this.mesh.confer(data.id, data.ids);
        return;
      case "Chat":
        if (data.chat.contact && from !== id) return this.people.take(from, data.chat.contact);
        return this.talk.take(from, to, id, data.chat);
      case "State":
        return this.moderated(data.state);
      case "History":
        return this.talk.history(data, id);
      case "Removed":
        this.end("removed");
        return this.set({ refusal: { door: "closed", text: data.reason } });
      case "Moved":
        this.tell(data.room.name.includes("/") ? "You are in a breakout room now." : "Everybody meets again.");
        return this.move(data.room);
      case "Announcement":
        this.talk.notice(data.message);
        return this.tell(data.message);
      case "Error":
        return this.failed(data.code, data.message);
      default:
    }
  }

  // Coming in.

  private async authenticateKept(): Promise<void> {
    const account = this.config.usersEnabled && !this.view.get().userid ? keptAccount() : undefined;
    if (account) await this.authenticate(account).catch(() => this.tell("Your account is not taken any more: you are a guest."));
  }

  private inside(data: Extract<Incoming, { type: "Welcome" }>): void {
    const { id } = this.identity;
    this.entrance.place = data.room;
    const before = this.view.get().roster;
    let now = roster.welcome(data.users, id, before);
    // A server that starts anew knows nobody yet: those we talk with are about to tell it.
    for (const one of before.values()) if (!now.has(one.id) && this.flows(one.id)) now = roster.missing(now, one);
    this.set({ phase: "inside", refusal: undefined, room: data.room, roster: now });
    setTimeout(() => this.dropMissing(), COMING);
    for (const peer of [...this.mesh.peers.keys()]) if (!now.has(peer)) this.mesh.drop(peer);
    this.channel.release();
    this.mesh.start();
    this.voices.start();
    if (data.state) this.moderated(data.state);
    if (data.state?.history) this.channel.send({ Type: "History" });
    this.mesh.heal();
    // Who comes calls those who are there; in a conference the server says who calls whom.
    if (data.room.type === "Conference") return;
    for (const one of now.values()) if (roster.answersUnasked(one) && !this.mesh.peers.has(one.id)) this.mesh.call(one.id);
  }

  private listed(users: Parameters<typeof roster.welcome>[0]): void {
    const now = roster.welcome(users, this.identity.id, this.view.get().roster);
    for (const id of this.view.get().roster.keys()) if (!now.has(id)) this.gone(id);
    const { state } = this.view.get();
    this.set({ roster: state ? roster.away(now, state) : now });
  }

  private failed(code: string, message: string): void {
    const { phase } = this.view.get();
    if (phase === "waiting" || code === "removed") return this.entrance.refused(code, message);
    const text = complaint(code);
    if (text) this.tell(text);
  }

  private refused(why: Refusal): void {
    this.stopCalls();
    this.set({ phase: why.door === "pin" || why.door === "wrong-pin" ? "pin" : "refused", refusal: why });
  }

  private end(phase: Phase): void {
    this.stopCalls();
    this.mesh.stop();
    this.files.stop();
    this.sides.stop();
    this.voices.stop();
    clearTimeout(this.turnTimer);
    clearTimeout(this.statusTimer);
    this.channel.now({ Type: "Leave", Leave: {} });
    this.channel.close();
    this.talk.clear();
    this.notices.clear();
    this.media.stop();
    this.identity = { id: "", sid: "" };
    this.set({ phase, roster: roster.EMPTY, state: undefined });
  }

  private stopCalls(): void {
    this.screens.stop();
    for (const id of [...this.mesh.peers.keys()]) this.mesh.hangUp(id);
    this.set({ roster: roster.EMPTY, state: undefined });
  }

  // Who is there.

  private flows(id: Id): boolean {
    return this.mesh.peers.get(id)?.flow === "connected";
  }

  private miss(id: Id): void {
    const now = this.view.get().roster;
    const one = now.get(id);
    if (!one) return;
    this.set({ roster: roster.missing(now, one) });
    setTimeout(() => this.dropMissing(), GOING);
  }

  /** Without the server nobody is dropped: it may be the one that went. */
  private dropMissing(): void {
    const { link, phase, roster: now } = this.view.get();
    if (link !== "open" || phase !== "inside") return;
    for (const one of now.values()) if (one.missing) this.gone(one.id);
  }

  private gone(id: Id): void {
    const one = this.view.get().roster.get(id);
    if (one) this.tell(`${one.name} has left`);
    this.mesh.drop(id);
    this.screens.drop(id);
    this.sides.drop(id);
    this.set({ roster: roster.left(this.view.get().roster, id) });
  }

  private became(self: Extract<Incoming, { type: "Self" }>): void {
    this.identity = { id: self.id, sid: self.sid };
    this.set({ self: self.id, userid: self.userid });
    void this.people.become(self.suserid, this.config.serverToken);
    this.ice = ways(self, preferences.get());
    this.mesh.configure(this.ice);
    clearTimeout(this.turnTimer);
    const due = renewal(self);
    if (due !== undefined) this.turnTimer = setTimeout(() => this.channel.send({ Type: "Self", Self: {} }), due);
  }

  private moderated(state: RoomState): void {
    const { self, state: before, roster: all } = this.view.get();
    const waited = new Set(before?.waiting.map((one) => one.id));
    const raised = new Set(before?.hands);
    this.set({ state, roster: roster.away(all, state) });
    for (const one of state.waiting) if (!waited.has(one.id)) this.tell(`${this.nameOf(one.id)} waits to be let in`);
    for (const id of state.hands) if (id !== self && !raised.has(id)) this.tell(`${this.nameOf(id)} raises a hand`);
    if (before && state.moderators.includes(self) && !before.moderators.includes(self)) this.tell("You are a moderator now.");
    for (const medium of ["audio", "video", "screen", "chat"] as const) {
      const is = state.muted[self]?.includes(medium) === true;
      const was = before?.muted[self]?.includes(medium) === true;
      if (is !== was) this.tell(MUTED[medium][is ? 0 : 1]);
    }
    if (this.muted("screen")) this.screens.stop();
    for (const id of this.screens.others.keys()) if (this.muted("screen", id)) this.screens.drop(id);
    this.mediaChanged();
  }

  private inner(id: Id, text: string): void {
    const data = decodeInner(text);
    if (data?.type === "Chat") this.talk.take(id, this.identity.id, this.identity.id, data.chat);
    else if (data?.type === "Screenshare" && data.token && !this.muted("screen", id)) this.screens.view(id, data.token);
  }

  /** Old clients call others only when somebody tells them who confers. */
  private connected(id: Id): void {
    const { room, roster: all } = this.view.get();
    const ids = [this.identity.id, ...this.mesh.peers.keys()];
    const one = all.get(id);
    if (room.type === "Conference" || ids.length < 3 || !one || roster.answersUnasked(one)) return;
    const conference = `${this.identity.id}${++this.conferences}${crypto.randomUUID()}`;
    this.channel.send(nested("Conference", { Id: conference, Conference: ids }));
  }

  private answered(answer: Incoming): void {
    if (answer.type === "State") this.moderated(answer.state);
    else if (answer.type === "Error" && answer.code !== "lost") this.tell(complaint(answer.code) ?? answer.message);
  }

  // What we send of ourselves.

  private tracks(): LocalTracks {
    const { audio, video } = this.media.state.get();
    return { audio: this.muted("audio") ? null : audio, video: this.muted("video") ? null : video };
  }

  private mediaChanged(): void {
    this.mesh.setTracks(this.tracks());
    this.voices.take(this.media.state.get().audio);
    this.presenceChanged();
    this.pulse();
  }

  private presence(): Presence {
    const { name, picture } = preferences.get();
    const { audio, video } = this.tracks();
    return { name, picture, audio: audio?.enabled === true, video: video !== null };
  }

  private presenceChanged(): void {
    clearTimeout(this.statusTimer);
    this.statusTimer = setTimeout(() => this.view.get().phase === "inside" && this.tellPresence(), STATUS_DELAY);
  }

  private tellPresence(): void {
    const status = statusOf(this.presence());
    const told = JSON.stringify(status);
    if (told === this.told) return;
    if (this.channel.now(nested("Status", { Status: status }))) this.told = told;
  }

  private set(change: Partial<RoomView>): void {
    this.view.update((now) => ({ ...now, ...change }));
  }

  private pulse(): void {
    this.set({ pulse: this.view.get().pulse + 1 });
  }
}

const MUTED = {
  audio: ["A moderator has muted your microphone.", "You may speak again."],
  video: ["A moderator has switched your camera off.", "You may show yourself again."],
  screen: ["A moderator has ended your screen.", "You may share your screen again."],
  chat: ["A moderator does not let you write.", "You may write again."],
} as const;

function announcement(token: string): Outgoing {
  return { Type: "Screenshare", Id: token, Screenshare: { id: token } };
}
