/** The person's account on this server, where it has any. Without one they are a guest. */

import type { Outgoing } from "../protocol/documents";
import { nested } from "../protocol/documents";
import { type Account, authorise, register } from "../protocol/rest";

const KEY = "headgate.account";

export interface Identity {
  id: string;
  sid: string;
}

export function keptAccount(): Account | undefined {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "null") as Partial<Account> | null;
    return kept?.useridcombo && kept.secret ? { useridcombo: kept.useridcombo, secret: kept.secret } : undefined;
  } catch {
    return undefined;
  }
}

export function keepAccount(account: Account | undefined): void {
  if (account) localStorage.setItem(KEY, JSON.stringify({ useridcombo: account.useridcombo, secret: account.secret }));
  else localStorage.removeItem(KEY);
}

/** Prove the account to the server; the answer is the document that makes this connection that user's. */
export async function signIn(self: Identity, account: Account): Promise<Outgoing> {
  const { userid, nonce } = await authorise(self.id, self.sid, account);
  return authentication(userid, nonce);
}

export async function signUp(self: Identity): Promise<Outgoing> {
  const made = await register(self.id, self.sid);
  keepAccount(made);
  return authentication(made.userid, made.nonce);
}

function authentication(userid: string, nonce: string): Outgoing {
  return nested("Authentication", { Authentication: { Userid: userid, Nonce: nonce } });
}
