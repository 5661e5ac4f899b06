import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { ServerConfig } from "../protocol/rest";
import { basePath } from "../protocol/place";
import { AccountSettings } from "./account";
import { useRoom } from "./watch";

/** Between outside and inside: a PIN, a lobby, a refusal, a goodbye. */
export function Door({ config }: { config: ServerConfig }) {
  const room = useRoom();
  const { phase, refusal, userid } = room.view.get();
  switch (phase) {
    case "pin":
      return <Pin wrong={refusal?.door === "wrong-pin"} />;
    case "waiting":
      return (
        <Card title="You are in the lobby">
          <p>A moderator will let you in. Stay on this page.</p>
          <p class="waiting-dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </p>
          <button type="button" class="quiet" onClick={() => room.leave()}>
            Leave
          </button>
        </Card>
      );
    case "refused":
      return (
        <Card title="You cannot come in">
          <p role="alert">{refusal?.text}</p>
          {refusal?.door === "account" && config.usersEnabled && <AccountSettings config={config} />}
          <div class="buttons">
            <button type="button" class="primary" onClick={() => room.enter()}>
              {userid ? "Go in" : "Try again"}
            </button>
            <Home />
          </div>
        </Card>
      );
    case "removed":
      return (
        <Card title="You are not in the room any more">
          <p role="alert">{refusal?.text || "A moderator has ended this for you."}</p>
          <Home />
        </Card>
      );
    default:
      return (
        <Card title="You have left the room">
          <div class="buttons">
            <button type="button" class="primary" onClick={() => room.enter()}>
              Join again
            </button>
            <Home />
          </div>
        </Card>
      );
  }
}

function Pin({ wrong }: { wrong: boolean }) {
  const room = useRoom();
  const [pin, setPin] = useState("");
  return (
    <Card title="This room has a PIN">
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          room.enter(pin);
        }}
      >
        <label class="field">
          PIN
          <input
            value={pin}
            type="password"
            autocomplete="off"
            autofocus
            required
            aria-invalid={wrong}
            aria-describedby="pin-trouble"
            onInput={(event) => setPin(event.currentTarget.value)}
          />
        </label>
        <p id="pin-trouble" class="trouble" role="alert">
          {wrong ? "That is not the PIN of this room." : ""}
        </p>
        <button type="submit" class="primary">
          Go in
        </button>
      </form>
    </Card>
  );
}

function Home() {
  return (
    <a class="quiet button" href={basePath()}>
      Front page
    </a>
  );
}

function Card({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <main class="door">
      <h1>{title}</h1>
      {children}
    </main>
  );
}
