import { useEffect, useRef, useState } from "preact/hooks";
import { ROOM } from "../call/conversation";
import type { ServerConfig } from "../protocol/rest";
import { Chat } from "./chat";
import { Heading } from "./heading";
import { Icon } from "./icons";
import { CopyLink } from "./invitation";
import { People } from "./people";
import { Settings } from "./settings";
import { useShortcuts } from "./shortcuts";
import { Stage } from "./stage";
import { Toolbar } from "./toolbar";
import { useRoom } from "./watch";

export type Panel = "chat" | "people";

const TITLES: Record<Panel, string> = { chat: "Chat", people: "People" };

/** The page of somebody who is inside. */
export function Call({ config }: { config: ServerConfig }) {
  const room = useRoom();
  const { room: place, link, state, self } = room.view.get();
  const [panel, setPanel] = useState<Panel>();
  const [thread, setThread] = useState(ROOM);
  const [settings, setSettings] = useState(false);
  const opener = useRef<Element | null>(null);
  const show = (next: Panel) => {
    if (next === panel) return close();
    if (!panel) opener.current = document.activeElement;
    setPanel(next);
  };
  const close = () => {
    setPanel(undefined);
    // Back to where somebody was; who opened it by its key was on the page.
    if (opener.current instanceof HTMLElement && opener.current.isConnected) opener.current.focus();
  };
  const write = (id: string) => {
    setThread(id);
    if (panel !== "chat") show("chat");
  };
  const { audio, video } = room.media.state.get();
  useShortcuts({
    m: () => room.muted("audio") || void room.media.toggle("audio", !audio?.enabled),
    v: () => room.muted("video") || void room.media.toggle("video", !video),
    s: () => room.muted("screen") || (room.screens.own ? room.screens.stop() : void room.shareScreen()),
    h: () => state && void room.controls.raise(!state.hands.includes(self)),
    c: () => show("chat"),
    p: () => show("people"),
  });
  return (
    <div class={`call ${panel ? "with-panel" : ""}`}>
      <header class="call-head">
        <Heading>
          {state?.locked && (
            <span class="call-locked" title="Locked">
              <Icon name="lock" />
              <span class="spoken">Locked: </span>
            </span>
          )}
          <span class="call-name">{place.name || config.title}</span>
        </Heading>
        <Connection link={link} />
        <CopyLink brief />
        <button type="button" class="quiet round" aria-label="Settings" title="Settings" onClick={() => setSettings(true)}>
          <Icon name="settings" />
        </button>
      </header>
      <main class="call-main" aria-label="Call">
        <Stage write={write} />
      </main>
      {panel && (
        <PanelFrame title={TITLES[panel]} close={close}>
          {panel === "chat" ? <Chat open={thread} choose={setThread} /> : <People write={write} />}
        </PanelFrame>
      )}
      <footer class="call-foot">
        <Toolbar panel={panel} show={show} />
      </footer>
      {settings && <Settings config={config} close={() => setSettings(false)} />}
    </div>
  );
}

function PanelFrame({ title, close, children }: { title: string; close: () => void; children: preact.ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    // What is inside may have taken the focus already, as the field of the chat does.
    if (!heading.current?.closest("aside")?.contains(document.activeElement)) heading.current?.focus();
  }, [title]);
  return (
    <aside
      class="panel"
      aria-label={title}
      onKeyDown={(event) => {
        if (event.key === "Escape" && !event.isComposing) close();
      }}
    >
      <header class="panel-head">
        <h2 ref={heading} tabIndex={-1}>
          {title}
        </h2>
        <button type="button" class="quiet round" aria-label={`Close ${title.toLowerCase()}`} onClick={close}>
          <Icon name="close" />
        </button>
      </header>
      {children}
    </aside>
  );
}

function Connection({ link }: { link: string }) {
  return (
    <p class="connection" role="status">
      {link === "open" ? "" : "Connecting to the server again… Calls go on."}
    </p>
  );
}
