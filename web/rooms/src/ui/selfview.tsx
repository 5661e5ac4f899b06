import { useMemo } from "preact/hooks";
import { Icon } from "./icons";
import { OwnPicture } from "./ownpicture";
import { Stream } from "./stream";
import { useRoom, useValue } from "./watch";

/** Ourselves, as in a mirror. */
export function SelfView({ small = false }: { small?: boolean }) {
  const room = useRoom();
  const { audio, video } = useValue(room.media.state);
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
          <OwnPicture size={small ? "small" : "large"} />
        </div>
      )}
      {state?.hands.includes(self) && (
        <span class="tile-hand" title="Your hand is raised">
          <Icon name="hand" />
          <span class="spoken">Your hand is raised</span>
        </span>
      )}
      <footer class="tile-foot">
        {silent && (
          <span class="tile-mark" title="Your microphone is off">
            <Icon name="microphoneOff" />
            <span class="spoken">Your microphone is off</span>
          </span>
        )}
        <span class="tile-name">You</span>
      </footer>
    </article>
  );
}
