import type { Participant } from "../call/roster";
import type { Quality } from "../call/quality";
import { actions } from "./actions";
import { Avatar } from "./avatar";
import { Icon } from "./icons";
import { Menu } from "./menu";
import { Stream } from "./stream";
import { useRoom, useValue } from "./watch";

const WORDS: Record<Quality, string> = {
  unknown: "Connecting",
  good: "Good connection",
  fair: "Fair connection",
  poor: "Poor connection",
  lost: "Connection lost",
};

interface Props {
  one: Participant;
  write: (id: string) => void;
  pin: ((id: string) => void) | undefined;
  pinned: boolean;
}

/** One participant: picture or avatar, name, and how they are. */
export function Tile({ one, write, pin, pinned }: Props) {
  const room = useRoom();
  const { state } = room.view.get();
  const talking = useValue(room.voices.talking);
  const peer = room.mesh.peers.get(one.id);
  const silent = room.muted("audio", one.id);
  const picture = peer?.stream.getVideoTracks().some((track) => !track.muted && track.readyState === "live") === true;
  const seen = picture && one.video && !room.muted("video", one.id);
  const quality = peer ? peer.grade.quality : "unknown";
  const trouble = (one.away && peer?.flow !== "connected") || peer?.flow === "interrupted" || peer?.flow === "failed";
  const hand = state?.hands.includes(one.id);
  return (
    <article class={`tile ${talking.has(one.id) ? "talks" : ""} ${seen ? "" : "unseen"} ${pinned ? "focused" : ""}`} aria-label={one.name} data-participant={one.id}>
      {peer && <Stream stream={peer.stream} muted={silent} label={`Picture of ${one.name}`} />}
      {!seen && (
        <div class="tile-cover">
          <Avatar name={one.name} picture={one.picture} size="large" />
          {!peer && <p class="tile-note">Not in the call</p>}
        </div>
      )}
      {trouble && (
        <p class="tile-trouble" role="status">
          Reconnecting…
        </p>
      )}
      {hand && (
        <span class="tile-hand" title={`${one.name} raises a hand`}>
          <Icon name="hand" />
          <span class="spoken">raises a hand</span>
        </span>
      )}
      <footer class="tile-foot">
        {(!one.audio || silent) && (
          <span class="tile-mark" title="Microphone off">
            <Icon name="microphoneOff" />
            <span class="spoken">Microphone off</span>
          </span>
        )}
        <span class="tile-name">{one.name}</span>
        {peer && <Bars quality={quality} detail={detail(peer.grade.roundTrip, peer.grade.loss)} />}
      </footer>
      <div class="tile-menu">
        <Menu label={`Actions for ${one.name}`} items={actions(room, one, { write, pin, pinned })} />
      </div>
    </article>
  );
}

export function Bars({ quality, detail }: { quality: Quality; detail: string }) {
  return (
    <span class={`bars ${quality}`} title={`${WORDS[quality]}${detail}`} data-quality={quality}>
      <i />
      <i />
      <i />
      <span class="spoken">{WORDS[quality]}</span>
    </span>
  );
}

function detail(roundTrip: number | undefined, loss: number): string {
  return roundTrip === undefined ? "" : `: ${Math.round(roundTrip * 1000)} ms, ${(loss * 100).toFixed(1)} % lost`;
}
