import { useEffect, useRef } from "preact/hooks";
import { preferences } from "../preferences";
import { useValue } from "./watch";

interface Props {
  stream: MediaStream;
  muted?: boolean;
  mirrored?: boolean;
  fit?: "cover" | "contain";
  label: string;
}

/** A stream, seen and heard over the speaker the person chose. */
export function Stream({ stream, muted = false, mirrored = false, fit = "cover", label }: Props) {
  const video = useRef<HTMLVideoElement>(null);
  const { speaker } = useValue(preferences);
  useEffect(() => {
    const element = video.current;
    if (!element) return undefined;
    element.srcObject = stream;
    // A tile that is moved or filled anew must be started again.
    const play = () => void element.play().catch(() => undefined);
    play();
    stream.addEventListener("addtrack", play);
    return () => stream.removeEventListener("addtrack", play);
  }, [stream]);
  useEffect(() => {
    void video.current?.setSinkId?.(speaker).catch(() => undefined);
  }, [speaker]);
  return (
    <video ref={video} class={`stream ${fit} ${mirrored ? "mirrored" : ""}`} autoplay playsInline muted={muted} aria-label={label} />
  );
}
