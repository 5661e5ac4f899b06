import { initials } from "../call/presence";
import { pictureUrl } from "../protocol/place";

const TINTS = 8; // in style/tile.css

/** A person's picture, or their initials on a colour that stays theirs. */
export function Avatar({ name, picture, size = "small" }: { name: string; picture: string; size?: "small" | "large" }) {
  const url = picture.startsWith("data:") ? undefined : pictureUrl(picture, size === "large" ? 256 : 96);
  if (url) return <img class={`avatar ${size}`} src={url} alt="" />;
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
