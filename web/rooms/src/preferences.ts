/** What this browser remembers of its person, from one call to the next. */

import { Value } from "./value";

export type Theme = "auto" | "light" | "dark";

export interface Preferences {
  name: string;
  /** `data:image/jpeg;base64,…`, or "". */
  picture: string;
  microphone: string;
  camera: string;
  speaker: string;
  audio: boolean;
  video: boolean;
  theme: Theme;
  shortcuts: boolean;
  /** Calls go through the relay only: the others never learn this browser's address. */
  relayOnly: boolean;
}

const KEY = "headgate.rooms";
const DEFAULTS: Preferences = {
  name: "",
  picture: "",
  microphone: "",
  camera: "",
  speaker: "",
  audio: true,
  video: true,
  theme: "auto",
  shortcuts: true,
  relayOnly: false,
};

export const preferences = new Value<Preferences>(load());

export function prefer(change: Partial<Preferences>): void {
  preferences.update((now) => ({ ...now, ...change }));
}

preferences.watch(() => {
  try {
    localStorage.setItem(KEY, JSON.stringify(preferences.get()));
  } catch {
    // Private windows may keep nothing: then it lasts as long as the page.
  }
});

function load(): Preferences {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Record<string, unknown>;
    // Only what still has the type it should have.
    const sound = Object.entries(DEFAULTS).map(([key, value]) => [key, typeof kept[key] === typeof value ? kept[key] : value]);
    return Object.fromEntries(sound) as unknown as Preferences;
  } catch {
    return DEFAULTS;
  }
}
