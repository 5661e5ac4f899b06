/** What a client tells of itself in its Status, and how it is read from one that may say anything. */

const NAME_LIMIT = 60; // characters

export interface Presence {
  name: string;
  /** `img:…` of the server, or "". */
  picture: string;
  audio: boolean;
  video: boolean;
}

export const NOBODY = "Guest";

export function presence(status: unknown): Presence {
  const of = (typeof status === "object" && status !== null ? status : {}) as Record<string, unknown>;
  return {
    name: cleanName(of.displayName) || NOBODY,
    picture: typeof of.buddyPicture === "string" && of.buddyPicture.startsWith("img:") ? of.buddyPicture : "",
    // A client that says nothing of them is an old one, and has them on.
    audio: of.audio !== false,
    video: of.video !== false,
  };
}

export function statusOf(own: Presence & { picture: string }): Record<string, unknown> {
  return { displayName: own.name, buddyPicture: own.picture, message: "", audio: own.audio, video: own.video };
}

/** One line without control or direction characters, which would let a name rewrite the text around it. */
export function cleanName(name: unknown): string {
  if (typeof name !== "string") return "";
  return [...name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "").trim()].slice(0, NAME_LIMIT).join("");
}

export function initials(name: string): string {
  const words = name.split(/\s+/).filter(Boolean);
  return [words[0], words.length > 1 ? words.at(-1) : undefined]
    .map((word) => (word ? ([...word][0] ?? "") : ""))
    .join("")
    .toUpperCase();
}
