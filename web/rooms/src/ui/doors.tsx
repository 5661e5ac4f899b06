import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { ServerConfig } from "../protocol/rest";
import { basePath } from "../protocol/place";
import { AccountSettings } from "./account";
import { Heading } from "./heading";
import { Unreachable } from "./unreachable";
import { useRoom, useValue } from "./watch";

/** Between outside and inside: a PIN, a lobby, a refusal, a goodbye. */
export function Door({ config }: { config: ServerConfig }) {
  const room = useRoom();
  const { phase, refusal, userid, entering } = useValue(room.view);
  switch (phase) {
    case "pin":
      return <Pin key="pin" wrong={refusal?.door === "wrong-pin"} />;
    case "waiting":
      return (
        <Card key="lobby" title="You are in the lobby">
          <p>A moderator will let you in. Stay on this page.</p>
          <p class="waiting-dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </p>
          <Unreachable />
          <button type="button" class="quiet" onClick={() => room.leave()}>
            Leave
          </button>
        </Card>
      );
    case "refused":
      return (
        <Card key="refused" title="You cannot come in">
          <p role="alert">{refusal?.text}</p>
          <Unreachable />
          {refusal?.door === "account" && config.usersEnabled && <AccountSettings config={config} />}
          <div class="buttons">
            <button type="button" class="primary" disabled={entering} onClick={() => room.enter()}>
              {entering ? "Asking…" : refusal?.door === "account" && userid ? "Go in" : "Try again"}
            </button>
            <Home />
          </div>
        </Card>
      );
    case "removed":
      return (
        <Card key="removed" title="You are not in the room any more">
          <p role="alert">{refusal?.text || "A moderator has ended this for you."}</p>
          <Home />
        </Card>
      );
    default:
      return (
        <Card key="left" title="You have left the room">
          <Unreachable />
          <div class="buttons">
            <button type="button" class="primary" disabled={entering} onClick={() => room.enter()}>
              {entering ? "Joining…" : "Join again"}
            </button>
            <Home />
          </div>
        </Card>
      );
  }
}

function Pin({ wrong }: { wrong: boolean }) {
  const room = useRoom();
  const { refusal, entering } = useValue(room.view);
  const [pin, setPin] = useState("");
  const field = useRef<HTMLInputElement>(null);
  // Also after each wrong one, so that the next can be typed at once.
  useEffect(() => field.current?.select(), [refusal]);
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
            ref={field}
            value={pin}
            type="password"
            autocomplete="off"
            required
            aria-invalid={wrong}
            aria-describedby="pin-trouble"
            onInput={(event) => setPin(event.currentTarget.value)}
          />
        </label>
        <p id="pin-trouble" class="trouble" role="alert">
          {wrong ? "That is not the PIN of this room." : ""}
        </p>
        <Unreachable />
        <div class="buttons">
          <button type="submit" class="primary" disabled={entering}>
            Go in
          </button>
          <Home />
        </div>
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
  const room = useRoom();
  return (
    <main class="door">
      <p class="eyebrow">{room.view.get().room.name}</p>
      <Heading>{title}</Heading>
      {children}
    </main>
  );
}
