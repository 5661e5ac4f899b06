import { useEffect, useRef } from "preact/hooks";
import { Avatar } from "./avatar";

const PIXELS = 96;

/** Our own picture before anybody has it. It is drawn: the page's policy lets no image come from a data: address. */
export function OwnPicture({ picture, name }: { picture: string; name: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || !picture) return;
    const bytes = Uint8Array.from(atob(picture.slice(picture.indexOf(",") + 1)), (character) => character.charCodeAt(0));
    createImageBitmap(new Blob([bytes], { type: "image/jpeg" }))
      .then((image) => context.drawImage(image, 0, 0, PIXELS, PIXELS))
      .catch(() => undefined);
  }, [picture]);
  if (!picture) return <Avatar name={name} picture="" />;
  return <canvas ref={canvas} class="avatar small" width={PIXELS} height={PIXELS} role="img" aria-label="Your picture" />;
}
