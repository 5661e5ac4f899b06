import type { ComponentChildren } from "preact";
import { unread } from "../call/conversation";
import { preferences } from "../preferences";
import { Icon, type IconName } from "./icons";
import type { Panel } from "./call";
import { useRoom, useValue } from "./watch";

interface ButtonProps {
  icon: IconName;
  label: string;
  act: () => void;
  pressed?: boolean;
  off?: boolean;
  kind?: "danger";
  disabled?: boolean;
  wide?: boolean;
  hotkey?: string;
  children?: ComponentChildren;
}

function Control({ icon, label, act, pressed, off, kind, disabled, wide, hotkey, children }: ButtonProps) {
  return (
    <button
      type="button"
      class={`control ${off ? "off" : ""} ${kind ?? ""} ${wide ? "wide" : ""}`}
      aria-label={label}
      aria-pressed={pressed}
      aria-keyshortcuts={hotkey}
      disabled={disabled}
      title={hotkey ? `${label} (${hotkey})` : label}
      onClick={act}
    >
      <Icon name={icon} />
      {children}
    </button>
  );
}

/** Arrows move along the controls, as Tab does. */
function step(event: KeyboardEvent): void {
  const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
  if (by === 0) return;
  const all = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("button:enabled")];
  const next = all.indexOf(document.activeElement as HTMLElement) + by;
  event.preventDefault();
  all[(next + all.length) % all.length]?.focus();
}

interface Props {
  panel: Panel | undefined;
  show: (panel: Panel) => void;
}

/** What one does all the time. */
export function Toolbar({ panel, show }: Props) {
  const room = useRoom();
  const { audio, video } = useValue(room.media.state);
  const { shortcuts } = useValue(preferences);
  const conversations = useValue(room.talk.conversations);
  const { roster, state, self } = room.view.get();
  const talks = audio?.enabled === true && !room.muted("audio");
  const shows = video !== null && !room.muted("video");
  const raised = state?.hands.includes(self) === true;
  const waiting = state?.waiting.length ?? 0;
  const news = panel === "chat" ? 0 : unread(conversations);
  const key = (letter: string) => (shortcuts ? letter : undefined);
  const canShare = navigator.mediaDevices !== undefined && "getDisplayMedia" in navigator.mediaDevices;
  return (
    <div class="toolbar" role="toolbar" aria-label="Call controls" onKeyDown={step}>
      <div class="toolbar-group">
        <Control
          icon={talks ? "microphone" : "microphoneOff"}
          label={talks ? "Mute microphone" : "Unmute microphone"}
          hotkey={key("M")}
          off={!talks}
          disabled={room.muted("audio")}
          act={() => void room.media.toggle("audio", !talks)}
        />
        <Control
          icon={shows ? "camera" : "cameraOff"}
          label={shows ? "Stop camera" : "Start camera"}
          hotkey={key("V")}
          off={!shows}
          disabled={room.muted("video")}
          act={() => void room.media.toggle("video", !shows)}
        />
        {canShare && (
          <Control
            icon="screen"
            label={room.screens.own ? "Stop sharing the screen" : "Share the screen"}
            hotkey={key("S")}
            pressed={room.screens.own !== undefined}
            disabled={room.muted("screen")}
            act={() => (room.screens.own ? room.screens.stop() : void room.shareScreen())}
          />
        )}
        {state && (
          <Control icon="hand" label={raised ? "Lower hand" : "Raise hand"} hotkey={key("H")} pressed={raised} act={() => void room.controls.raise(!raised)} />
        )}
      </div>
      <div class="toolbar-group">
        <Control icon="chat" label={news ? `Chat, ${news} unread` : "Chat"} hotkey={key("C")} pressed={panel === "chat"} act={() => show("chat")}>
          {news > 0 && <span class="badge">{news > 99 ? "99" : news}</span>}
        </Control>
        <Control
          icon="people"
          label={waiting ? `People, ${waiting} waiting` : `People, ${roster.size + 1}`}
          hotkey={key("P")}
          pressed={panel === "people"}
          act={() => show("people")}
        >
          {waiting > 0 ? <span class="badge">{waiting}</span> : <span class="count">{roster.size + 1}</span>}
        </Control>
      </div>
      <Control icon="leave" label="Leave" kind="danger" wide act={() => room.leave()} />
    </div>
  );
}
