import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { troubles } from "../call/trouble";
import { prefer, preferences } from "../preferences";
import type { ServerConfig } from "../protocol/rest";
import { DeviceChoice } from "./devices";
import { Icon } from "./icons";
import { OwnPicture } from "./ownpicture";
import { Settings } from "./settings";
import { Stream } from "./stream";
import { Unreachable } from "./unreachable";
import { useRoom, useValue } from "./watch";

/** Before one goes in: how one looks and sounds, and what one is called. */
export function GreenRoom({ config, name: roomName }: { config: ServerConfig; name: string }) {
  const room = useRoom();
  const { audio, video, trouble } = useValue(room.media.state);
  const { name } = useValue(preferences);
  const [settings, setSettings] = useState(false);
  const stream = useMemo(() => new MediaStream(video ? [video] : []), [video]);
  const { entering } = room.view.get();
  const talks = audio?.enabled === true;

  useEffect(() => void room.media.start(), []);
  return (
    <main class="green-room">
      <section class="preview" aria-label="Preview">
        {video ? (
          <Stream stream={stream} muted mirrored label="Your own picture" />
        ) : (
          <div class="tile-cover">
            <OwnPicture size="large" />
          </div>
        )}
        <div class="preview-controls">
          <button
            type="button"
            class={`control ${talks ? "" : "off"}`}
            aria-label={talks ? "Mute microphone" : "Unmute microphone"}
            onClick={() => void room.media.toggle("audio", !talks)}
          >
            <Icon name={talks ? "microphone" : "microphoneOff"} />
          </button>
          <button
            type="button"
            class={`control ${video ? "" : "off"}`}
            aria-label={video ? "Stop camera" : "Start camera"}
            onClick={() => void room.media.toggle("video", !video)}
          >
            <Icon name={video ? "camera" : "cameraOff"} />
          </button>
        </div>
        <Level />
      </section>
      <form
        class="arrival"
        onSubmit={(event) => {
          event.preventDefault();
          room.enter();
        }}
      >
        <p class="eyebrow">{config.title}</p>
        <h1>{roomName}</h1>
        <label class="field">
          Your name
          <input
            value={name}
            maxLength={60}
            autocomplete="name"
            placeholder="Guest"
            onInput={(event) => prefer({ name: event.currentTarget.value })}
          />
        </label>
        <DeviceChoice kind="audioinput" />
        <DeviceChoice kind="videoinput" />
        {troubles(trouble).map((text) => (
          <p class="trouble" role="alert" key={text}>
            <Icon name="warning" />
            {text} You can join all the same.
          </p>
        ))}
        <Unreachable />
        <button type="submit" class="primary" disabled={entering}>
          {entering ? "Joining…" : "Join"}
        </button>
        <button type="button" class="quiet" onClick={() => setSettings(true)}>
          <Icon name="settings" />
          More settings
        </button>
      </form>
      {settings && <Settings config={config} close={() => setSettings(false)} />}
    </main>
  );
}

/** A line that moves with the voice. It is drawn by hand: sixty renderings a second would be a waste. */
function Level() {
  const room = useRoom();
  const bar = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let frame = 0;
    const draw = () => {
      bar.current?.style.setProperty("--level", room.voices.level().toFixed(3));
      frame = requestAnimationFrame(draw);
    };
    draw();
    return () => cancelAnimationFrame(frame);
  }, []);
  return <div class="level" ref={bar} aria-hidden="true" />;
}
