import { useMemo } from "preact/hooks";
import { preferences } from "../preferences";
import { Avatar } from "./avatar";
import { Icon } from "./icons";
import { Stream } from "./stream";
import { useRoom, useValue } from "./watch";

/** Ourselves, as in a mirror. */
export function SelfView({ small = false }: { small?: boolean }) {
  const room = useRoom();
  const { audio, video } = useValue(room.media.state);
  const { name, picture } = useValue(preferences);
  const { self, state } = room.view.get();
  const talking = useValue(room.voices.talking);
  const stream = useMemo(() => new MediaStream(video ? [video] : []), [video]);
  const seen = video && !room.muted("video");
  const silent = !audio?.enabled || room.muted("audio");
  return (
    <article class={`tile own ${small ? "small" : ""} ${talking.has(self) ? "talks" : ""} ${seen ? "" : "unseen"}`} aria-label="You">
      {seen ? (
        <Stream stream={stream} muted mirrored label="Your own picture" />
      ) : (
        <div class="tile-cover">
          <Avatar name={name || "You"} picture={picture} size={small ? "small" : "large"} />
        </div>
      )}
      {state?.hands.includes(self) && (
        <span class="tile-hand">
          <Icon name="hand" />
        </span>
      )}
      <footer class="tile-foot">
        {silent && (
          <span class="tile-mark" title="Your microphone is off">
            <Icon name="microphoneOff" />
          </span>
        )}
        <span class="tile-name">You</span>
      </footer>
    </article>
  );
}
