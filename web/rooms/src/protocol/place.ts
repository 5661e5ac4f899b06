/** Where we are: the server's base path, the room in the address, the addresses beside it. */

const ROOM_LIMIT = 255; // characters, as the server's

/** The room a page's address names; "" for the front page. */
export function roomOf(path: string, base: string): string {
  const inner = path.startsWith(base) ? path.slice(base.length) : path.replace(/^\/+/, "");
  try {
    return decodeURIComponent(inner.replace(/\/+$/, "")).slice(0, ROOM_LIMIT);
  } catch {
    return ""; // a broken escape
  }
}

/** The path of a room's page. */
export function pathOf(room: string, base: string): string {
  return base + room.split("/").map(encodeURIComponent).join("/");
}

export function basePath(): string {
  return new URL(document.baseURI).pathname;
}

export function socketUrl(): string {
  const url = new URL("ws", document.baseURI);
  url.protocol = url.protocol.replace("http", "ws");
  return url.href;
}

/** The address of a buddy picture `img:…`; undefined for anything else. */
export function pictureUrl(reference: string, pixels = 128): string | undefined {
  const found = /^img:([\w-]+\/[\w-]+(?:\/picture\.\w+)?)$/.exec(reference);
  return found ? new URL(`static/img/buddy/s${pixels}/${found[1]}`, document.baseURI).href : undefined;
}
