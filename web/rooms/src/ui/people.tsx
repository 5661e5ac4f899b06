import { useState } from "preact/hooks";
import { participant, type Participant } from "../call/roster";
import { preferences } from "../preferences";
import { actions } from "./actions";
import { Avatar } from "./avatar";
import { ContactList } from "./contacts";
import { Icon, type IconName } from "./icons";
import { CopyLink } from "./invitation";
import { Menu } from "./menu";
import { OwnPicture } from "./ownpicture";
import { RoomSettings } from "./roomsettings";
import { useRoom, useValue } from "./watch";

/** Who is here, who waits, and who else one knows. */
export function People({ write }: { write: (id: string) => void }) {
  const room = useRoom();
  const { roster, state, self } = room.view.get();
  const { name } = useValue(preferences);
  const requests = useValue(room.people.requests);
  const [settings, setSettings] = useState(false);
  const hands = state?.hands ?? [];
  const waiting = state?.waiting ?? [];
  // Raised hands first, in their order.
  const rank = (one: Participant) => (hands.includes(one.id) ? hands.indexOf(one.id) : hands.length);
  const people = [...roster.values()].sort((a, b) => rank(a) - rank(b));
  return (
    <div class="people">
      {waiting.length > 0 && (
        <section aria-label="Waiting">
          <h3>Waiting to be let in</h3>
          <ul class="rows">
            {waiting.map(participant).map((one) => (
              <li class="row" key={one.id}>
                <Avatar name={one.name} picture={one.picture} />
                <span class="row-name">{one.name}</span>
                <button type="button" class="quiet" onClick={() => void room.controls.act({ Action: "deny", Id: one.id })}>
                  Refuse
                </button>
                <button type="button" class="plain" onClick={() => void room.controls.act({ Action: "admit", Id: one.id })}>
                  Let in
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
      {requests.size > 0 && (
        <section aria-label="Contact requests">
          <h3>Want to be your contact</h3>
          <ul class="rows">
            {[...requests.keys()].map((id) => (
              <li class="row" key={id}>
                <span class="row-name">{room.nameOf(id)}</span>
                <button type="button" class="quiet" onClick={() => void room.people.answer(id, false)}>
                  No
                </button>
                <button type="button" class="plain" onClick={() => void room.people.answer(id, true)}>
                  Yes
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
      <section aria-label="In the room">
        <h3>In the room</h3>
        <ul class="rows">
          <li class="row">
            <OwnPicture />
            <span class="row-name">
              {name || "You"} <small>you{room.moderator() ? ", moderator" : ""}</small>
            </span>
            {hands.includes(self) && <Mark icon="hand" words="Hand raised" />}
          </li>
          {people.map((one) => (
            <li class="row" key={one.id} data-row={one.id}>
              <Avatar name={one.name} picture={one.picture} />
              <span class="row-name">
                {one.name} <small>{about(one, room.moderator(one.id))}</small>
              </span>
              {hands.includes(one.id) && <Mark icon="hand" words="Hand raised" />}
              {(!one.audio || room.muted("audio", one.id)) && <Mark icon="microphoneOff" words="Microphone off" />}
              <MenuOf one={one} write={write} />
            </li>
          ))}
        </ul>
        <div class="people-tools">
          <CopyLink brief />
          {state && room.moderator() && (
            <button type="button" class="quiet" onClick={() => setSettings(true)}>
              <Icon name="lock" />
              Room controls
            </button>
          )}
          {state?.parent && (
            <button type="button" class="quiet" onClick={() => state.parent && room.move(state.parent)}>
              <Icon name="back" />
              Back to {state.parent.name}
            </button>
          )}
        </div>
      </section>
      <ContactList write={write} />
      {settings && <RoomSettings close={() => setSettings(false)} />}
    </div>
  );
}

function Mark({ icon, words }: { icon: IconName; words: string }) {
  return (
    <span class="row-mark" title={words}>
      <Icon name={icon} />
      <span class="spoken">{words}</span>
    </span>
  );
}

function MenuOf({ one, write }: { one: Participant; write: (id: string) => void }) {
  const room = useRoom();
  return <Menu label={`Actions for ${one.name}`} items={actions(room, one, { write })} />;
}

function about(one: Participant, moderates: boolean): string {
  return [moderates ? "moderator" : "", one.away ? "reconnecting" : "", one.userid ? "" : "guest"].filter(Boolean).join(", ");
}
