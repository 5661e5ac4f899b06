/** A person in a room: puts channel, calls, chat and screens together, and is what the page shows. */

import { preferences } from "../preferences";
import { Channel, type Link, type Listener } from "../protocol/channel";
import { decodeInner } from "../protocol/decode";
import type { Envelope, Id, Incoming, Outgoing, RoomName, RoomState } from "../protocol/documents";
import { nested } from "../protocol/documents";
import type { ServerConfig } from "../protocol/rest";
import { Value } from "../value";
import type { Identity } from "./account";
import { Appearance } from "./appearance";
import { Attendance } from "./attendance";
import { Awake } from "./awake";
import { Controls } from "./controls";
import { Entrance } from "./entrance";
import { Files } from "./files";
import { renewal, ways } from "./ice";
import { Media } from "./media";
import { Membership } from "./membership";
import { Mesh } from "./mesh";
import { news } from "./news";
import { Notices } from "./notices";
import { People } from "./people";
import { type Refusal, complaint } from "./refusal";
import * as roster from "./roster";
import { Screens } from "./screens";
import { Sides } from "./side";
import { Talk } from "./talk";
import { fresh, troubles } from "./trouble";
import { type Phase, type RoomView, nameOf, outside } from "./view";
import { Voices } from "./voices";

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
  readonly controls: Controls;
  readonly membership: Membership;

  private readonly channel: Channel;
  private readonly entrance: Entrance;
  private readonly sides: Sides;
  private readonly awake = new Awake();
  private readonly appearance: Appearance;
  private readonly attendance: Attendance;
  private identity: Identity = { id: "", sid: "" };
  private ice: RTCConfiguration = {};
  private conferences = 0;
  private trouble = this.media.state.get().trouble;
  private turnTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    name: string,
    socketUrl: string,
    private readonly config: ServerConfig,
  ) {
    const place = { type: "", name };
    this.view = new Value(outside(place));
    this.channel = new Channel(socketUrl, this);
    this.entrance = new Entrance(place, this.channel, {
      greet: () => {
        this.appearance.forget();
        this.appearance.tell();
      },
      inside: (welcome) => this.inside(welcome),
      waiting: () => this.set({ phase: "waiting", entering: false }),
      refused: (why) => this.refused(why),
      back: (users) => this.attendance.listed(users),
    });
    const send = (document: Outgoing) => this.channel.send(document);
    const nameOf = (id: Id) => this.nameOf(id);
    this.talk = new Talk({ send, nameOf, unseen: (message) => this.tell(`${message.name}: ${message.text.slice(0, 80) || "sent a file"}`) });
    const ask = (document: Outgoing) => this.channel.ask(document);
    const tell = (text: string) => this.tell(text);
    this.people = new People({ signal: (to, status) => this.talk.signal(to, status), ask, nameOf, tell });
    this.controls = new Controls({ ask, tell, moderated: (state) => this.moderated(state), pin: (pin) => this.entrance.carry(pin) });
    this.membership = new Membership({ ask, tell, identity: () => this.identity, became: (self) => this.became(self) });
    this.appearance = new Appearance(this.media, {
      muted: (medium) => this.muted(medium),
      inside: () => this.view.get().phase === "inside",
      now: (document) => this.channel.now(document),
    });
    this.attendance = new Attendance(this.view, {
      flows: (id) => this.mesh.peers.get(id)?.flow === "connected",
      gone: (id) => this.gone(id),
      tell,
    });
    this.sides = new Sides(send, () => this.ice);
    this.files = new Files(this.sides, () => this.pulse());
    this.screens = new Screens(() => this.identity.id, this.sides, {
      announce: (token) => this.mesh.tell(announcement(token)),
      changed: () => this.pulse(),
    });
    this.mesh = new Mesh(() => this.identity.id, this.ice, this.appearance.tracks(), {
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
    preferences.watch(() => this.appearance.changed());
  }

  // What a person does.

  enter(pin?: string): void {
    if (pin !== undefined) this.entrance.carry(pin);
    this.set({ entering: true });
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

  /** Muted by a moderator. */
  muted(medium: "audio" | "video" | "screen" | "chat", id: Id = this.identity.id): boolean {
    return this.view.get().state?.muted[id]?.includes(medium) === true;
  }

  moderator(id: Id = this.identity.id): boolean {
    return this.view.get().state?.moderators.includes(id) === true;
  }

  nameOf(id: Id): string {
    return nameOf(this.view.get(), id);
  }

  /** The network may have changed, or the page is seen again. */
  wake(): void {
    this.awake.seen();
    this.channel.wake();
    this.mesh.heal();
  }

  tell(text: string): void {
    this.notices.tell(text);
  }

  // What the channel says.

  link(link: Link): void {
    this.set(link === "connecting" ? { link } : { link, unreachable: link === "lost" });
  }

  opened(self: Extract<Incoming, { type: "Self" }>, resumes: boolean): void {
    const before = this.identity.id;
    this.entrance.opening();
    this.became(self);
    if (before && before !== self.id) this.stopCalls(); // those we called know us no more
    void this.prove().then(() => this.entrance.comeIn(resumes));
  }

  expelled(): void {
    this.end("removed");
  }

  document({ from, to, data }: Envelope): void {
    const { id } = this.identity;
    switch (data.type) {
      case "Self":
        return this.became(data);
      case "Resumed":
        this.entrance.hasResumed();
        this.channel.release();
        this.appearance.tell();
        return this.mesh.heal();
      case "Welcome":
        return this.inside(data);
      case "Waiting":
        return this.set({ phase: "waiting", entering: false });
      case "Users":
        return this.attendance.listed(data.users);
      case "Joined":
        return this.attendance.joined(data.session);
      case "Left":
        return this.attendance.left(data);
      case "Status":
        return this.attendance.status(data);
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

  private async prove(): Promise<void> {
    if (this.config.usersEnabled && !this.view.get().userid) await this.membership.restore();
  }

  private inside(data: Extract<Incoming, { type: "Welcome" }>): void {
    this.entrance.place = data.room;
    const now = this.attendance.welcome(data.users);
    this.set({ phase: "inside", entering: false, refusal: undefined, room: data.room, roster: now });
    for (const peer of [...this.mesh.peers.keys()]) if (!now.has(peer)) this.mesh.drop(peer);
    this.channel.release();
    this.mesh.start();
    this.voices.start();
    void this.awake.hold();
    if (data.state) this.moderated(data.state);
    if (data.state?.history) this.channel.send({ Type: "History" });
    this.mesh.heal();
    // Who comes calls those who are there; in a conference the server says who calls whom.
    if (data.room.type === "Conference") return;
    for (const one of now.values()) if (roster.answersUnasked(one) && !this.mesh.peers.has(one.id)) this.mesh.call(one.id);
  }

  private failed(code: string, message: string): void {
    const { phase } = this.view.get();
    if (phase === "waiting" || code === "removed") return this.entrance.refused(code, message);
    const text = complaint(code);
    if (text) this.tell(text);
  }

  private refused(why: Refusal): void {
    this.stopCalls();
    this.set({ phase: why.door === "pin" || why.door === "wrong-pin" ? "pin" : "refused", entering: false, refusal: why });
  }

  private end(phase: Phase): void {
    this.stopCalls();
    this.mesh.stop();
    this.files.stop();
    this.sides.stop();
    this.voices.stop();
    this.awake.release();
    clearTimeout(this.turnTimer);
    this.appearance.stop();
    this.channel.now({ Type: "Leave", Leave: {} });
    this.channel.close();
    this.talk.clear();
    this.notices.clear();
    this.media.stop();
    this.entrance.goHome();
    this.identity = { id: "", sid: "" };
    this.set({ phase, entering: false, roster: roster.EMPTY, state: undefined });
  }

  private stopCalls(): void {
    this.screens.stop();
    for (const id of [...this.mesh.peers.keys()]) this.mesh.hangUp(id);
    this.set({ roster: roster.EMPTY, state: undefined });
  }

  /** Somebody is gone. */
  private gone(id: Id): void {
    this.mesh.drop(id);
    this.screens.drop(id);
    this.sides.drop(id);
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
    this.set({ state, roster: roster.away(all, state) });
    for (const text of news(before, state, self, (id) => this.nameOf(id))) this.tell(text);
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

  private mediaChanged(): void {
    const { trouble } = this.media.state.get();
    // Before one is inside the page has a place for it.
    if (this.view.get().phase === "inside") for (const text of troubles(fresh(this.trouble, trouble))) this.tell(text);
    this.trouble = trouble;
    this.mesh.setTracks(this.appearance.tracks());
    this.voices.take(this.media.state.get().audio);
    this.appearance.changed();
    this.pulse();
  }

  private set(change: Partial<RoomView>): void {
    this.view.update((now) => ({ ...now, ...change }));
  }

  private pulse(): void {
    this.set({ pulse: this.view.get().pulse + 1 });
  }
}

function announcement(token: string): Outgoing {
  return { Type: "Screenshare", Id: token, Screenshare: { id: token } };
}
