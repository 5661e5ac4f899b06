/** The person's account: proved to the server over this connection, and again over the next. */

import type { Incoming, Outgoing } from "../protocol/documents";
import type { Account } from "../protocol/rest";
import { type Identity, keepAccount, keptAccount, signIn, signUp } from "./account";

export interface MembershipEvents {
  identity(): Identity;
  ask(document: Outgoing): Promise<Incoming>;
  became(self: Extract<Incoming, { type: "Self" }>): void;
  tell(text: string): void;
}

export class Membership {
  constructor(private readonly events: MembershipEvents) {}

  /** `undefined` makes a new account. Throws `RestError`. */
  async authenticate(account: Account | undefined): Promise<void> {
    const identity = this.events.identity();
    const document = account ? await signIn(identity, account) : await signUp(identity);
    const answer = await this.events.ask(document);
    if (answer.type === "Error") return this.events.tell(answer.message);
    if (account) keepAccount(account);
    if (answer.type === "Self") this.events.became(answer);
  }

  /** Who had an account here before has it again. */
  async restore(): Promise<void> {
    const account = keptAccount();
    if (account) await this.authenticate(account).catch(() => this.events.tell("Your account is not taken any more: you are a guest."));
  }
}
