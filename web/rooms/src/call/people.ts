/** Contacts: asked for, answered, kept, and found again. */

import type { ContactRequest, Id, Incoming, Outgoing, Session } from "../protocol/documents";
import { nested } from "../protocol/documents";
import { Value } from "../value";
import { type Contact, contactKey, reply, request, seal, unseal, withContact } from "./contacts";

const KEY = "headgate.contacts";
const REQUEST_LIMIT = 20; // that wait for an answer of ours

export interface PeopleEvents {
  signal(to: Id, status: Record<string, unknown>): void;
  ask(document: Outgoing): Promise<Incoming>;
  nameOf(id: Id): string;
  tell(text: string): void;
}

export class People {
  readonly contacts = new Value<readonly Contact[]>([]);
  /** Who wants to be our contact, and with what document. */
  readonly requests = new Value<ReadonlyMap<Id, ContactRequest>>(new Map());
  private key: CryptoKey | undefined;
  private suserid = "";

  constructor(private readonly events: PeopleEvents) {}

  /** This connection is that user's from now on. `suserid` "" is a guest, who has no contacts. */
  async become(suserid: string, serverToken: string): Promise<void> {
    if (suserid === this.suserid || !crypto.subtle) return;
    this.suserid = suserid;
    this.key = suserid ? await contactKey(suserid, serverToken) : undefined;
    this.contacts.set(this.key ? await unseal(localStorage.getItem(KEY) ?? "", this.key) : []);
  }

  /** Ask somebody in the room. */
  invite(id: Id): void {
    this.events.signal(id, request(crypto.randomUUID()));
  }

  take(from: Id, contact: ContactRequest): void {
    if (!this.key || !contact.userid) return;
    if (contact.success === undefined) {
      if (this.requests.get().size >= REQUEST_LIMIT) return;
      this.requests.update((now) => new Map(now).set(from, contact));
      this.events.tell(`${this.events.nameOf(from)} wants to be your contact`);
    } else if (contact.success && contact.token) {
      void this.keep({ userid: contact.userid, name: this.events.nameOf(from), token: contact.token });
    } else {
      this.events.tell(`${this.events.nameOf(from)} does not want to be your contact`);
    }
  }

  async answer(from: Id, yes: boolean): Promise<void> {
    const asked = this.requests.get().get(from);
    if (!asked) return;
    this.requests.update((now) => new Map([...now].filter(([id]) => id !== from)));
    this.events.signal(from, reply(asked, yes));
    if (yes) await this.keep({ userid: asked.userid, name: this.events.nameOf(from), token: asked.token });
  }

  async forget(userid: string): Promise<void> {
    this.contacts.update((now) => now.filter((one) => one.userid !== userid));
    await this.save();
  }

  /** Where a contact can be reached now; undefined: nowhere. */
  async find(contact: Contact): Promise<Session | undefined> {
    const answer = await this.events.ask(nested("Sessions", { Sessions: { Type: "contact", Token: contact.token } }));
    // Who is offline has a made-up session, which no browser ever named itself in.
    return answer.type === "Sessions" ? answer.users.find((user) => user.ua !== "" || user.status !== undefined) : undefined;
  }

  private async keep(contact: Contact): Promise<void> {
    this.contacts.update((now) => withContact(now, contact));
    this.events.tell(`${contact.name} is your contact now`);
    await this.save();
  }

  private async save(): Promise<void> {
    if (this.key) localStorage.setItem(KEY, await seal(this.contacts.get(), this.key));
  }
}
