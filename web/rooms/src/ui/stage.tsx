import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Invitation } from "./invitation";
import { grid } from "./layout";
import { SelfView } from "./selfview";
import { Stream } from "./stream";
import { Tile } from "./tile";
import { useRoom } from "./watch";

const GAP = 12; // pixels, as in style/stage.css

/** Everybody's pictures, and the screens that are shown. */
export function Stage({ write }: { write: (id: string) => void }) {
  const room = useRoom();
  const { roster } = room.view.get();
  const [pinned, setPinned] = useState<string>();
  const [size, setSize] = useState({ width: 0, height: 0 });
  const area = useRef<HTMLDivElement>(null);
  const tiles = useRef<HTMLDivElement>(null);
  const people = [...roster.values()];
  const screens = [...room.screens.others];
  const focus = pinned !== undefined && roster.has(pinned) ? pinned : undefined;
  const presented = screens.length > 0 || room.screens.own !== undefined;
  const layout = presented || focus ? "focus" : people.length === 1 ? "pair" : people.length === 0 ? "alone" : "grid";

  useEffect(() => {
    const element = area.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(([entry]) => entry && setSize({ width: entry.contentRect.width, height: entry.contentRect.height }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useLayoutEffect(() => {
    const element = tiles.current;
    if (!element) return;
    const count = layout === "grid" ? people.length + 1 : 1;
    const best = grid(count, size.width, size.height, GAP);
    element.style.setProperty("--columns", `${best.columns}`);
    element.style.setProperty("--tile-width", `${best.width}px`);
    element.style.setProperty("--tile-height", `${best.height}px`);
  });

  // While a screen is shown the stage is taken.
  const pin = (id: string) => setPinned(id === pinned ? undefined : id);
  // Tiles keep their places in the document, and style moves them: a video that is moved stops.
  return (
    <div class={`stage ${layout}`} ref={area}>
      {layout === "focus" && presented && (
        <div class="screens">
          {room.screens.own && !screens.length && <OwnScreen stream={room.screens.own} />}
          {screens.map(([id, shown]) => (
            <OthersScreen key={shown.token} id={id} stream={shown.stream} />
          ))}
        </div>
      )}
      <div class={`tiles ${focus && !presented ? "has-focus" : ""}`} ref={tiles}>
        {people.map((one) => (
          <Tile key={one.id} one={one} write={write} pin={presented ? undefined : pin} pinned={!presented && one.id === focus} />
        ))}
        <SelfView key="self" small={layout === "pair"} />
      </div>
      {layout === "alone" && <Invitation />}
    </div>
  );
}

function OthersScreen({ id, stream }: { id: string; stream: MediaStream }) {
  const room = useRoom();
  const figure = useRef<HTMLElement>(null);
  const toggle = () => void (document.fullscreenElement ? document.exitFullscreen() : figure.current?.requestFullscreen().catch(() => undefined));
  return (
    <figure ref={figure} class="screen" data-screen={id} onDblClick={toggle}>
      <Stream stream={stream} fit="contain" label={`Screen of ${room.nameOf(id)}`} />
      <figcaption>
        {room.nameOf(id)}’s screen
        {document.fullscreenEnabled && (
          <button type="button" class="plain" onClick={toggle}>
            Full screen
          </button>
        )}
      </figcaption>
    </figure>
  );
}

function OwnScreen({ stream }: { stream: MediaStream }) {
  const room = useRoom();
  return (
    <figure class="screen own">
      <Stream stream={stream} muted fit="contain" label="The screen you share" />
      <figcaption>
        You share your screen
        <button type="button" class="plain" onClick={() => room.screens.stop()}>
          Stop
        </button>
      </figcaption>
    </figure>
  );
}
