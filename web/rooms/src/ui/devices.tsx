import { prefer, preferences } from "../preferences";
import { useRoom, useValue } from "./watch";

const WORDS = { audioinput: "Microphone", videoinput: "Camera", audiooutput: "Speaker" } as const;

/** Which device; nothing where the browser offers no choice. */
export function DeviceChoice({ kind }: { kind: keyof typeof WORDS }) {
  const room = useRoom();
  const { devices } = useValue(room.media.state);
  const { microphone, camera, speaker } = useValue(preferences);
  // Before the person agrees browsers show devices without names or ids.
  const offered = devices.filter((one) => one.kind === kind && one.deviceId !== "");
  const chosen = { audioinput: microphone, videoinput: camera, audiooutput: speaker }[kind];
  if (offered.length === 0) return null;
  const choose = (id: string) => {
    if (kind === "audiooutput") prefer({ speaker: id });
    else void room.media.choose(kind === "audioinput" ? "audio" : "video", id);
  };
  return (
    <label class="field">
      {WORDS[kind]}
      <select value={offered.some((one) => one.deviceId === chosen) ? chosen : ""} onChange={(event) => choose(event.currentTarget.value)}>
        {!offered.some((one) => one.deviceId === "default") && <option value="">As the system</option>}
        {offered.map((one) => (
          <option value={one.deviceId === "default" ? "" : one.deviceId}>{one.label || WORDS[kind]}</option>
        ))}
      </select>
    </label>
  );
}
