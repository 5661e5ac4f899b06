import { useEffect, useState } from "preact/hooks";
import type { Contact } from "../call/contacts";
import { Avatar } from "./avatar";
import { Menu } from "./menu";
import { useRoom, useValue } from "./watch";

/** People one has agreed with to find each other again. */
export function ContactList({ write }: { write: (id: string) => void }) {
  const room = useRoom();
  const contacts = useValue(room.people.contacts);
  if (contacts.length === 0) return null;
  return (
    <section aria-label="Contacts">
      <h3>Contacts</h3>
      <ul class="rows">
        {contacts.map((one) => (
          <Row key={one.userid} contact={one} write={write} />
        ))}
      </ul>
    </section>
  );
}

const LOOK_AGAIN = 30_000; // ms

function Row({ contact, write }: { contact: Contact; write: (id: string) => void }) {
  const room = useRoom();
  const [session, setSession] = useState<string>();
  useEffect(() => {
    let gone = false;
    const look = () => void room.people.find(contact).then((found) => !gone && setSession(found?.id));
    look();
    const timer = setInterval(look, LOOK_AGAIN);
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, [contact]);
  const here = session !== undefined && room.view.get().roster.has(session);
  const invite = (id: string) => {
    room.talk.say(id, `Come and meet: ${location.href.split(/[?#]/)[0]}`);
    room.tell(`${contact.name} is invited.`);
  };
  return (
    <li class="row">
      <Avatar name={contact.name} picture="" />
      <span class="row-name">
        {contact.name} <small>{here ? "in the room" : session ? "online" : "offline"}</small>
      </span>
      {session && !here && (
        <button type="button" class="plain" onClick={() => invite(session)}>
          Invite
        </button>
      )}
      <Menu
        label={`Actions for ${contact.name}`}
        items={[
          ...(session ? [{ label: "Write privately", act: () => write(session) }] : []),
          { label: "Forget", danger: true, act: () => void room.people.forget(contact.userid) },
        ]}
      />
    </li>
  );
}
