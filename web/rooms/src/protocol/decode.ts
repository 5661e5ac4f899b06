/** From text of the wire to documents. Whatever it says, `decode` throws nothing; what does not hold is undefined. */

import type {
  Breakout,
  ChatBody,
  ContactRequest,
  Envelope,
  FileInfo,
  Incoming,
  Medium,
  RoomName,
  RoomState,
  Said,
  Session,
  Tag,
} from "./documents";

type Fields = Record<string, unknown>;

const MESSAGE_LIMIT = 1 << 20; // characters; the server takes and sends no more than 1 MiB
const LIST_LIMIT = 5000; // what `Users` is cut at
const CHAT_LIMIT = 200_000; // characters, as the old client
const CHUNK_COUNT_LIMIT = 1_000_000; // 60 GB in chunks of 60,000 bytes

/** A document the server sent. */
export function decode(frame: string): Envelope | undefined {
  const outer = parse(frame);
  if (!outer) return undefined;
  const data = document(fields(outer.Data));
  return data && { from: text(outer.From), to: text(outer.To), iid: text(outer.Iid), data };
}

/** A document another browser sent over a data channel: it has no envelope. */
export function decodeInner(frame: string): Incoming | undefined {
  const outer = parse(frame);
  if (!outer) return undefined;
  const nested = fields(outer[text(outer.Type)]);
  return document(text(nested.Type) === text(outer.Type) ? nested : outer);
}

function parse(frame: string): Fields | undefined {
  if (frame.length > MESSAGE_LIMIT) return undefined;
  try {
    const value: unknown = JSON.parse(frame);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
  } catch {
    return undefined;
  }
}

function document(data: Fields): Incoming | undefined {
  switch (data.Type) {
    case "Self": {
      const turn = fields(data.Turn);
      return {
        type: "Self",
        id: text(data.Id),
        sid: text(data.Sid),
        userid: text(data.Userid),
        suserid: text(data.Suserid),
        token: text(data.Token, 4096),
        turn: {
          username: text(turn.username),
          password: text(turn.password),
          ttl: number(turn.ttl),
          urls: texts(turn.urls),
        },
        stun: texts(data.Stun),
      };
    }
    case "Welcome": {
      const resume = fields(data.Resume);
      return {
        type: "Welcome",
        room: roomName(data.Room),
        users: sessions(data.Users),
        state: data.State === undefined ? undefined : roomState(data.State),
        resume: data.Resume === undefined ? undefined : { timeout: number(resume.Timeout), seq: number(resume.Seq) },
      };
    }
    case "Waiting":
      return { type: "Waiting", room: roomName(data.Room) };
    case "Resumed":
      return { type: "Resumed", room: roomName(data.Room), seq: number(data.Seq), lost: number(data.Lost) };
    case "Joined":
      return { type: "Joined", session: session(data) };
    case "Left":
      return { type: "Left", id: text(data.Id), hard: data.Status === "hard" };
    case "Status":
      return { type: "Status", id: text(data.Id), userid: text(data.Userid), status: data.Status };
    case "Users":
      return { type: "Users", users: sessions(data.Users) };
    case "Sessions":
      return { type: "Sessions", users: sessions(data.Users) };
    case "Offer": {
      const offer = fields(data.Offer);
      const sdp = text(offer.sdp, MESSAGE_LIMIT);
      return sdp ? { type: "Offer", sdp, tag: tag(offer), conference: text(offer._conference) } : undefined;
    }
    case "Answer": {
      const answer = fields(data.Answer);
      const sdp = text(answer.sdp, MESSAGE_LIMIT);
      return sdp ? { type: "Answer", sdp, tag: tag(answer) } : undefined;
    }
    case "Candidate": {
      const candidate = fields(data.Candidate);
      return {
        type: "Candidate",
        candidate: {
          candidate: text(candidate.candidate),
          sdpMid: typeof candidate.sdpMid === "string" ? candidate.sdpMid : null,
          sdpMLineIndex: typeof candidate.sdpMLineIndex === "number" ? candidate.sdpMLineIndex : null,
        },
        tag: tag(candidate),
      };
    }
    case "Bye":
      return { type: "Bye", reason: text(fields(data.Bye).Reason) };
    case "Chat":
      return { type: "Chat", chat: chat(fields(data.Chat)) };
    case "Conference":
      return { type: "Conference", id: text(data.Id), ids: texts(data.Conference) };
    case "Room":
      return { type: "Room", room: roomName(data) };
    case "Alive":
      return { type: "Alive", mark: number(data.Alive) };
    case "State":
      return { type: "State", state: roomState(data.State) };
    case "History":
      return { type: "History", messages: list(data.Messages).map(said) };
    case "Removed":
      return { type: "Removed", room: roomName(data.Room), reason: text(data.Reason) };
    case "Moved":
      return { type: "Moved", room: roomName(data.Room) };
    case "Announcement":
      return { type: "Announcement", message: text(data.Message, CHAT_LIMIT) };
    case "Screenshare":
      return { type: "Screenshare", token: text(fields(data.Screenshare).id) };
    case "Error":
      return { type: "Error", code: text(data.Code), message: text(data.Message) };
    default:
      return undefined; // a type of another time: not ours to judge
  }
}

function session(value: unknown): Session {
  const of = fields(value);
  return { id: text(of.Id), userid: text(of.Userid), ua: text(of.Ua), status: of.Status };
}

function sessions(value: unknown): Session[] {
  return list(value)
    .map(session)
    .filter((one) => one.id !== "");
}

function roomName(value: unknown): RoomName {
  const of = fields(value);
  return { type: text(of.Type), name: text(of.Name) };
}

export function roomState(value: unknown): RoomState {
  const of = fields(value);
  const muted = Object.entries(fields(of.Muted)).slice(0, LIST_LIMIT);
  return {
    moderators: texts(of.Moderators),
    hands: texts(of.Hands),
    muted: Object.fromEntries(muted.map(([id, media]) => [id, texts(media).filter(isMedium)])),
    away: texts(of.Away),
    locked: of.Locked === true,
    lobby: of.Lobby === true,
    limit: number(of.Limit),
    history: of.History === true,
    waiting: sessions(of.Waiting),
    parent: of.Parent ? roomName(of.Parent) : undefined,
    breakouts: list(of.Breakouts).map(breakout),
  };
}

function breakout(value: unknown): Breakout {
  const of = fields(value);
  return { name: text(of.Name), label: text(of.Label), ids: texts(of.Ids), present: number(of.Present) };
}

function isMedium(word: string): word is Medium {
  return word === "audio" || word === "video" || word === "screen" || word === "chat";
}

function chat(of: Fields): ChatBody {
  const status = fields(of.Status);
  const location = fields(status.Geolocation);
  const [latitude, longitude] = [location.latitude, location.longitude];
  return {
    message: text(of.Message, CHAT_LIMIT),
    time: text(of.Time),
    mid: text(of.Mid),
    typing: status.Typing === "start" || status.Typing === "stop" ? status.Typing : undefined,
    state: status.State ? { mid: text(status.Mid), state: text(status.State) } : undefined,
    seen: texts(status.SeenMids),
    file: status.FileInfo ? fileInfo(fields(status.FileInfo)) : undefined,
    location: typeof latitude === "number" && typeof longitude === "number" ? { latitude, longitude } : undefined,
    contact: status.ContactRequest ? contact(fields(status.ContactRequest)) : undefined,
  };
}

function fileInfo(of: Fields): FileInfo | undefined {
  const info = {
    id: text(of.id),
    chunks: number(of.chunks),
    // A name is shown and proposed for saving: it is never a path.
    name: text(of.name).replace(/[/\\\p{Cc}]/gu, "_").slice(-200) || "file",
    size: number(of.size),
    type: text(of.type, 100),
  };
  const sound = info.id && Number.isInteger(info.chunks) && info.chunks <= CHUNK_COUNT_LIMIT && info.size <= info.chunks * 262_144;
  return sound ? info : undefined;
}

/** A request has a token and no success, an acceptance both, a refusal neither. */
function contact(of: Fields): ContactRequest {
  const token = text(of.Token, 4096);
  return { id: text(of.Id), success: of.Success === true ? true : token ? undefined : false, userid: text(of.Userid), token };
}

function said(value: unknown): Said {
  const of = fields(value);
  return { from: text(of.From), userid: text(of.Userid), message: text(of.Message, CHAT_LIMIT), time: text(of.Time) };
}

function tag(of: Fields): Tag | undefined {
  const token = text(of._token);
  return token ? { token, id: typeof of._id === "number" ? String(of._id) : text(of._id) } : undefined;
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value.slice(0, LIST_LIMIT) : [];
}

function texts(value: unknown): string[] {
  return list(value).filter((one): one is string => typeof one === "string" && one.length <= 1024);
}

function text(value: unknown, limit = 1024): string {
  return typeof value === "string" ? value.slice(0, limit) : "";
}

function number(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : 0;
}
