import { useState } from "preact/hooks";
import { basePath, pathOf } from "../protocol/place";
import { newRoom, type ServerConfig } from "../protocol/rest";
import { Icon } from "./icons";

/** The front page: a new room, or one whose name is known. */
export function Landing({ config }: { config: ServerConfig }) {
  const [name, setName] = useState("");
  const [trouble, setTrouble] = useState("");
  const go = (room: string) => location.assign(pathOf(room, basePath()));
  const start = () => newRoom().then(go, () => setTrouble("The server does not answer. Try again."));
  return (
    <main class="landing">
      <p class="eyebrow">{config.title}</p>
      <h1>Meet somebody.</h1>
      <p class="lead">A room is an address. Open one, send it to whom you want to meet, and talk: from browser to browser, with nothing to install.</p>
      <button type="button" class="primary" onClick={() => void start()}>
        Open a new room
        <Icon name="arrow" />
      </button>
      <form
        class="field-row"
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim()) go(name.trim());
        }}
      >
        <label class="field">
          Or go to a room you know
          <input value={name} maxLength={255} autocomplete="off" placeholder="Name of the room" onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <button type="submit" class="plain" disabled={!name.trim()}>
          Go
        </button>
      </form>
      <p class="trouble" role="alert">
        {trouble}
      </p>
    </main>
  );
}
