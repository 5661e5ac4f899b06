/** People one can find again: each is a token the server made when both agreed. Kept encrypted in this browser. */

import type { ContactRequest } from "../protocol/documents";

export interface Contact {
  userid: string;
  name: string;
  token: string;
}

const LIMIT = 500;

/** The key comes from what only this user gets from this server, as in the old client. */
export async function contactKey(suserid: string, serverToken: string): Promise<CryptoKey> {
  const secret = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(suserid + serverToken));
  return crypto.subtle.importKey("raw", secret, "AES-GCM", false, ["encrypt", "decrypt"]);
}

export async function seal(contacts: readonly Contact[], key: CryptoKey): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const plain = new TextEncoder().encode(JSON.stringify(contacts.slice(0, LIMIT)));
  const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, plain));
  return btoa(String.fromCharCode(...iv)) + "." + toBase64(sealed);
}

/** Another user's contacts, or what is no such text, open as none. */
export async function unseal(text: string, key: CryptoKey): Promise<Contact[]> {
  const [iv, sealed] = text.split(".");
  if (!iv || !sealed) return [];
  try {
    const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: fromBase64(iv) }, key, fromBase64(sealed));
    const value: unknown = JSON.parse(new TextDecoder().decode(plain));
    return Array.isArray(value) ? value.filter(isContact).slice(0, LIMIT) : [];
  } catch {
    return [];
  }
}

export function withContact(contacts: readonly Contact[], one: Contact): Contact[] {
  return [one, ...contacts.filter((other) => other.userid !== one.userid)].slice(0, LIMIT);
}

/** The three documents of a contact request, as the Status of a chat message. */
export function request(id: string): { ContactRequest: unknown } {
  return { ContactRequest: { Id: id } };
}

export function reply(to: ContactRequest, success: boolean): { ContactRequest: unknown } {
  return { ContactRequest: { Id: to.id, Success: success, Token: to.token } };
}

function isContact(value: unknown): value is Contact {
  const one = value as Contact | null;
  return typeof one?.userid === "string" && typeof one.name === "string" && typeof one.token === "string";
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
