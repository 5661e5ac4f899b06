import { useEffect, useRef } from "preact/hooks";
import { preferences } from "../preferences";
import { Avatar } from "./avatar";
import { useValue } from "./watch";

const PIXELS = 128; // what is kept of it

/** Our own picture, as this browser keeps it. It is drawn: the page's policy lets no image come from a data: address. */
export function OwnPicture({ size = "small" }: { size?: "small" | "large" }) {
  const { name, picture } = useValue(preferences);
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || !picture) return;
    const bytes = Uint8Array.from(atob(picture.slice(picture.indexOf(",") + 1)), (character) => character.charCodeAt(0));
    createImageBitmap(new Blob([bytes], { type: "image/jpeg" }))
      .then((image) => context.drawImage(image, 0, 0, PIXELS, PIXELS))
      .catch(() => undefined);
  }, [picture]);
  if (!picture) return <Avatar name={name || "You"} picture="" size={size} />;
  return <canvas ref={canvas} class={`avatar ${size}`} width={PIXELS} height={PIXELS} role="img" aria-label="Your picture" />;
}
