/** What the server's refusals mean to a person. */

export type Door = "pin" | "wrong-pin" | "retry-without-pin" | "account" | "closed";

export interface Refusal {
  door: Door;
  text: string;
}

const REFUSALS: Record<string, Refusal> = {
  authorization_required: { door: "pin", text: "This room has a PIN." },
  invalid_credentials: { door: "wrong-pin", text: "That is not the PIN of this room." },
  authorization_not_required: { door: "retry-without-pin", text: "" },
  room_join_requires_account: { door: "account", text: "This room is for people with an account on this server." },
  default_room_disabled: { door: "closed", text: "Choose a room with a name." },
  removed: { door: "closed", text: "A moderator has decided that you cannot come in." },
  room_locked: { door: "closed", text: "The room is locked: nobody new can come in." },
  room_full: { door: "closed", text: "The room is full." },
  admission_required: { door: "closed", text: "A moderator must let you in." },
  not_invited: { door: "closed", text: "This room is for the people it was made for." },
  timeout: { door: "closed", text: "The server does not answer." },
};

export function refusal(code: string, message: string): Refusal {
  return REFUSALS[code] ?? { door: "closed", text: message || "The server does not let you in." };
}

/** Errors that come while one is inside; undefined: nothing a person can do anything about. */
export function complaint(code: string): string | undefined {
  switch (code) {
    case "muted":
      return "A moderator has muted you.";
    case "not_a_moderator":
      return "Only moderators can do that.";
    case "not_allowed":
      return "The room does not allow that.";
    case "no_such_session":
      return "That person is not there any more.";
    case "too_many_rooms":
      return "That would be too many rooms.";
    default:
      return undefined;
  }
}
