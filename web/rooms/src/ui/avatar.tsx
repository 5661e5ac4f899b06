import { useState } from "preact/hooks";
import { initials } from "../call/presence";
import { pictureUrl } from "../protocol/place";

const TINTS = 8; // in style/tile.css

interface Props {
  name: string;
  /** `img:…` of the server, or "". */
  picture: string;
  size?: "small" | "large";
}

/** A person's picture, or their initials on a colour that stays theirs. */
export function Avatar({ name, picture, size = "small" }: Props) {
  const url = pictureUrl(picture, size === "large" ? 128 : 96);
  // A picture goes with its session, and may be gone when it is asked for.
  const [missing, setMissing] = useState("");
  if (url && url !== missing) return <img class={`avatar ${size}`} src={url} alt="" onError={() => setMissing(url)} />;
  return (
    <span class={`avatar ${size} tint-${tint(name)}`} aria-hidden="true">
      {initials(name)}
    </span>
  );
}

function tint(name: string): number {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 9973;
  return sum % TINTS;
}
