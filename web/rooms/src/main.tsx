import "@fontsource-variable/inter/index.css";
import "./style/page.css";
import "./style/controls.css";
import "./style/dialog.css";
import "./style/entrance.css";
import "./style/stage.css";
import "./style/tile.css";
import "./style/call.css";
import "./style/panel.css";
import { render } from "preact";
import { Room } from "./call/room";
import { basePath, roomOf, socketUrl } from "./protocol/place";
import { getConfig, type ServerConfig } from "./protocol/rest";
import { App } from "./ui/app";

const PLAIN: ServerConfig = { title: "Rooms", usersEnabled: false, usersAllowRegistration: false, modules: [], serverToken: "", codes: false };

const config = await getConfig().catch(() => PLAIN); // the page is there before the server answers again
const name = roomOf(location.pathname, basePath());
const room = name ? new Room(name, socketUrl(), config) : undefined;

if (room) {
  window.addEventListener("online", () => room.wake());
  window.addEventListener("offline", () => room.wake());
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && room.wake());
  // The devices are given back, and the others see at once that we are gone.
  window.addEventListener("pagehide", (event) => event.persisted || room.leave());
}

const root = document.getElementById("app");
if (root) render(<App config={config} room={room} name={name} />, root);
