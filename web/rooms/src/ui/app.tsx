import { useEffect, useState } from "preact/hooks";
import { unread } from "../call/conversation";
import type { Room } from "../call/room";
import { preferences } from "../preferences";
import type { ServerConfig } from "../protocol/rest";
import { Call } from "./call";
import { CodeDoor } from "./code";
import { Door } from "./doors";
import { GreenRoom } from "./greenroom";
import { Landing } from "./landing";
import { Notices } from "./notices";
import { RoomContext, useValue } from "./watch";

export function App({ config, room, name }: { config: ServerConfig; room: Room | undefined; name: string }) {
  const { theme } = useValue(preferences);
  useEffect(() => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }, [theme]);
  useEffect(() => {
    if (!room) document.title = config.title;
  }, []);
  const [open, setOpen] = useState(!config.codes);
  if (!open) return <CodeDoor title={config.title} enter={() => setOpen(true)} />;
  if (!room) return <Landing config={config} />;
  return (
    <RoomContext.Provider value={room}>
      <Pages config={config} room={room} name={name} />
    </RoomContext.Provider>
  );
}

function Pages({ config, room, name }: { config: ServerConfig; room: Room; name: string }) {
  const { phase } = useValue(room.view);
  const news = unread(useValue(room.talk.conversations));
  useEffect(() => {
    document.title = `${news > 0 ? `(${news}) ` : ""}${name} · ${config.title}`;
  }, [news]);
  return (
    <>
      {phase === "outside" ? <GreenRoom config={config} name={name} /> : phase === "inside" ? <Call config={config} /> : <Door config={config} />}
      <Notices />
    </>
  );
}
