import { useEffect, useRef, useState } from "preact/hooks";
import { deal } from "../call/moderation";
import { Dialog } from "./dialog";
import { Switch } from "./switch";
import { useRoom } from "./watch";

/** What a moderator decides about the room. */
export function RoomSettings({ close }: { close: () => void }) {
  const room = useRoom();
  const { state } = room.view.get();
  const [pin, setPin] = useState("");
  const [limit, setLimit] = useState(`${state?.limit || ""}`);
  if (!state) return null;
  return (
    <Dialog title="Room controls" close={close}>
      <fieldset>
        <legend>Who comes in</legend>
        <Switch label="Lobby" hint="A moderator lets people in, one by one." on={state.lobby} set={(on) => void room.controls.act({ Action: "settings", Lobby: on })} />
        <Switch label="Locked" hint="Nobody new comes in." on={state.locked} set={(on) => void room.controls.act({ Action: "settings", Locked: on })} />
        <form
          class="field-row"
          onSubmit={(event) => {
            event.preventDefault();
            void room.controls.setPin(room.view.get().room, pin);
            setPin("");
          }}
        >
          <label class="field">
            PIN
            <input value={pin} autocomplete="off" maxLength={64} placeholder="None, or a new one" onInput={(event) => setPin(event.currentTarget.value)} />
          </label>
          <button type="submit" class="plain">
            {pin ? "Set" : "Remove"}
          </button>
        </form>
        <form
          class="field-row"
          onSubmit={(event) => {
            event.preventDefault();
            void room.controls.act({ Action: "settings", Limit: Number(limit) || 0 });
          }}
        >
          <label class="field">
            Most people
            <input type="number" min={0} max={5000} value={limit} placeholder="As configured" onInput={(event) => setLimit(event.currentTarget.value)} />
          </label>
          <button type="submit" class="plain">
            Set
          </button>
        </form>
      </fieldset>
      <fieldset>
        <legend>What happens inside</legend>
        <Switch
          label="Keep the chat"
          hint="Who comes later sees what was written. Switching it off forgets it."
          on={state.history}
          set={(on) => void room.controls.act({ Action: "settings", History: on })}
        />
        <div class="buttons">
          <button type="button" class="plain" onClick={() => void room.controls.act({ Action: "mute", Id: "", Media: "audio" })}>
            Mute everybody
          </button>
          <button type="button" class="plain" onClick={() => void room.controls.act({ Action: "unmute", Id: "", Media: "audio" })}>
            Let everybody speak
          </button>
          <button type="button" class="plain" onClick={() => void room.controls.act({ Action: "lower", Id: "" })} disabled={state.hands.length === 0}>
            Lower all hands
          </button>
        </div>
      </fieldset>
      {!state.parent && <Breakouts close={close} />}
      <EndMeeting />
    </Dialog>
  );
}

/** It cannot be taken back, so it is asked twice. */
function EndMeeting() {
  const room = useRoom();
  const [asked, setAsked] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => button.current?.focus(), [asked]);
  if (!asked) {
    return (
      <button type="button" class="plain danger block" onClick={() => setAsked(true)}>
        End the meeting for everybody
      </button>
    );
  }
  return (
    <div class="stack" role="group" aria-label="End the meeting">
      <p role="alert">Everybody is put out, and the room with its chat is gone.</p>
      <div class="buttons">
        <button type="button" class="plain danger" ref={button} onClick={() => void room.controls.act({ Action: "close" })}>
          End it
        </button>
        <button type="button" class="quiet" onClick={() => setAsked(false)}>
          Go on
        </button>
      </div>
    </div>
  );
}

const MOST_GROUPS = 50; // the server's bound

function Breakouts({ close }: { close: () => void }) {
  const room = useRoom();
  const { state, roster } = room.view.get();
  const [count, setCount] = useState(2);
  const breakouts = state?.breakouts ?? [];
  if (breakouts.length > 0) {
    return (
      <fieldset>
        <legend>Breakout rooms</legend>
        <ul class="rows">
          {breakouts.map((one) => (
            <li class="row" key={one.name}>
              <span class="row-name">
                {one.label} <small>{one.present} inside</small>
              </span>
              <button
                type="button"
                class="quiet"
                onClick={() => {
                  close();
                  room.move({ type: room.view.get().room.type, name: one.name });
                }}
              >
                Visit
              </button>
            </li>
          ))}
        </ul>
        <button type="button" class="plain" onClick={() => void room.controls.act({ Action: "gather" })}>
          Call everybody back
        </button>
      </fieldset>
    );
  }
  return (
    <fieldset>
      <legend>Breakout rooms</legend>
      <form
        class="field-row"
        onSubmit={(event) => {
          event.preventDefault();
          void room.controls.act({ Action: "breakout", Rooms: deal([...roster.keys()], count) });
        }}
      >
        <label class="field">
          Groups, dealt at random
          <input type="number" min={1} max={MOST_GROUPS} value={count} onInput={(event) => setCount(Number(event.currentTarget.value) || 1)} />
        </label>
        <button type="submit" class="plain" disabled={roster.size === 0}>
          Open
        </button>
      </form>
    </fieldset>
  );
}
