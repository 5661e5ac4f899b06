/** The documents of the channelling protocol 1.4 and of the server's extensions (docs/rooms.md). */

export type Id = string;

/** A participant as `Welcome`, `Users` and `Joined` show it. `status` is what its client wrote: judge it before use. */
export interface Session {
  id: Id;
  userid: string;
  ua: string;
  status: unknown;
}

export interface TurnCredentials {
  username: string;
  password: string;
  /** Seconds. 0: there is no relay. */
  ttl: number;
  urls: string[];
}

export interface RoomName {
  type: string;
  name: string;
}

export type Medium = "audio" | "video" | "screen" | "chat";

export interface Breakout {
  name: string;
  label: string;
  ids: Id[];
  present: number;
}

/** The moderated state of a room; `waiting` is filled for moderators only. */
export interface RoomState {
  moderators: Id[];
  hands: Id[];
  muted: Record<Id, Medium[]>;
  away: Id[];
  locked: boolean;
  lobby: boolean;
  limit: number;
  history: boolean;
  waiting: Session[];
  parent: RoomName | undefined;
  breakouts: Breakout[];
}

export interface FileInfo {
  /** The token under which the sender hands the file out. */
  id: string;
  chunks: number;
  name: string;
  size: number;
  type: string;
}

export interface ContactRequest {
  id: string;
  /** undefined: it is asked; true or false: it is answered. */
  success: boolean | undefined;
  userid: string;
  token: string;
}

export interface ChatBody {
  message: string;
  time: string;
  mid: string;
  typing: "start" | "stop" | undefined;
  state: { mid: string; state: string } | undefined;
  seen: string[];
  file: FileInfo | undefined;
  location: { latitude: number; longitude: number } | undefined;
  contact: ContactRequest | undefined;
}

/** What a description or candidate carries besides itself: which side connection it belongs to. */
export interface Tag {
  token: string;
  id: string;
}

export interface Said {
  from: Id;
  userid: string;
  message: string;
  time: string;
}

export type Incoming =
  | {
      type: "Self";
      id: Id;
      sid: string;
      userid: string;
      suserid: string;
      token: string;
      turn: TurnCredentials;
      stun: string[];
    }
  | {
      type: "Welcome";
      room: RoomName;
      users: Session[];
      state: RoomState | undefined;
      resume: { timeout: number; seq: number } | undefined;
    }
  | { type: "Waiting"; room: RoomName }
  | { type: "Resumed"; room: RoomName; seq: number; lost: number }
  | { type: "Joined"; session: Session }
  | { type: "Left"; id: Id; hard: boolean }
  | { type: "Status"; id: Id; userid: string; status: unknown }
  | { type: "Users"; users: Session[] }
  | { type: "Sessions"; users: Session[] }
  | { type: "Offer"; sdp: string; tag: Tag | undefined; conference: string }
  | { type: "Answer"; sdp: string; tag: Tag | undefined }
  | { type: "Candidate"; candidate: RTCIceCandidateInit; tag: Tag | undefined }
  | { type: "Bye"; reason: string }
  | { type: "Chat"; chat: ChatBody }
  | { type: "Conference"; id: string; ids: Id[] }
  | { type: "Room"; room: RoomName }
  | { type: "Alive"; mark: number }
  | { type: "State"; state: RoomState }
  | { type: "History"; messages: Said[] }
  | { type: "Removed"; room: RoomName; reason: string }
  | { type: "Moved"; room: RoomName }
  | { type: "Announcement"; message: string }
  | { type: "Screenshare"; token: string }
  | { type: "Error"; code: string; message: string };

export interface Envelope {
  from: Id;
  to: Id;
  iid: string;
  data: Incoming;
}

/** A document to the server: `{Type, [Type]: body}`. */
export interface Outgoing {
  Type: string;
  [key: string]: unknown;
}

/** Most documents repeat their type inside. */
export function nested(type: string, body: Record<string, unknown>): Outgoing {
  return { Type: type, [type]: { Type: type, ...body } };
}
