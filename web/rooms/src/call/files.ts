/** Files over side connections: handed out to whoever asks, fetched piece by piece, gone on with when the network fails. */

import type { FileInfo, Id } from "../protocol/documents";
import { CHUNK, decodeChunk, encodeChunk } from "./chunk";
import type { Side, Sides } from "./side";

export const FILE_LIMIT = 4 * 1024 ** 3; // bytes
const OFFER_LIMIT = 100; // files handed out at once
const WINDOW = 8; // pieces asked for ahead
const BUFFERED = 1_000_000; // bytes that may wait in the browser's channel
const TRIES = 5;
const SPILL = 16_000_000; // bytes of pieces kept as arrays before the browser may put them on disk

export type Transfer =
  | { state: "offered" }
  | { state: "running"; share: number }
  | { state: "done"; url: string }
  | { state: "failed" };

export class Files {
  readonly transfers = new Map<string, Transfer>();
  private readonly offered: string[] = [];

  constructor(
    private readonly sides: Sides,
    private readonly changed: () => void,
  ) {}

  /** Hand a file out until `stop`; the oldest offer goes when there are too many. */
  offer(file: File): FileInfo {
    const id = randomToken();
    this.offered.push(id);
    if (this.offered.length > OFFER_LIMIT) this.sides.withdraw(this.offered.shift() ?? "");
    this.sides.serve(id, { text: (side, message) => serve(side, file, message) });
    return { id, chunks: Math.ceil(file.size / CHUNK), name: file.name, size: file.size, type: file.type };
  }

  fetch(from: Id, info: FileInfo): void {
    const now = this.transfers.get(info.id)?.state;
    if (now === "running" || now === "done") return;
    new Download(from, info, this.sides, (transfer) => this.tell(info.id, transfer)).start();
  }

  stop(): void {
    for (const transfer of this.transfers.values()) if (transfer.state === "done") URL.revokeObjectURL(transfer.url);
    this.transfers.clear();
    this.offered.length = 0;
  }

  private tell(id: string, transfer: Transfer): void {
    this.transfers.set(id, transfer);
    this.changed();
  }
}

class Download {
  private readonly pieces: (Blob | Uint8Array<ArrayBuffer>)[] = [];
  private readonly early = new Map<number, Uint8Array<ArrayBuffer>>();
  /** The first piece that has not come, and the first that was not asked for. */
  private next = 0;
  private asked = 0;
  private received = 0;
  private loose = 0;
  private tries = TRIES;
  private shown = -1;

  constructor(
    private readonly from: Id,
    private readonly info: FileInfo,
    private readonly sides: Sides,
    private readonly tell: (transfer: Transfer) => void,
  ) {}

  start(): void {
    if (this.info.chunks === 0) return this.finish();
    this.progress();
    const side = this.sides.reach(this.from, this.info.id, {
      opened: (open) => {
        this.asked = this.next; // what a broken connection still owed is asked for again
        this.early.clear();
        this.ask(open);
      },
      binary: (open, frame) => this.take(open, frame),
      closed: () => this.broken(),
    });
    if (side) side.offer().catch(() => side.close());
    else this.tell({ state: "failed" });
  }

  private ask(side: Side): void {
    while (this.asked < this.info.chunks && this.asked < this.next + WINDOW) side.tell({ m: "r", i: this.asked++ });
  }

  private take(side: Side, frame: ArrayBuffer): void {
    const chunk = decodeChunk(frame);
    if (!chunk || chunk.index < this.next || chunk.index >= this.asked || this.early.has(chunk.index)) return side.close();
    this.early.set(chunk.index, chunk.bytes);
    for (let bytes = this.early.get(this.next); bytes; bytes = this.early.get(this.next)) {
      this.early.delete(this.next++);
      this.keep(bytes);
    }
    if (this.received > this.info.size) return this.give(side);
    this.progress();
    if (this.next < this.info.chunks) return this.ask(side);
    side.tell({ m: "bye" });
    this.finish();
    side.close();
  }

  private keep(bytes: Uint8Array<ArrayBuffer>): void {
    this.tries = TRIES;
    this.pieces.push(bytes);
    this.received += bytes.length;
    this.loose += bytes.length;
    if (this.loose < SPILL) return;
    this.pieces.splice(0, this.pieces.length, new Blob(this.pieces));
    this.loose = 0;
  }

  private progress(): void {
    const percent = Math.floor((100 * this.next) / this.info.chunks);
    if (percent === this.shown) return;
    this.shown = percent;
    this.tell({ state: "running", share: percent / 100 });
  }

  private broken(): void {
    if (this.next >= this.info.chunks) return;
    if (this.tries-- > 0) this.start();
    else this.tell({ state: "failed" });
  }

  /** It sends more than it announced. */
  private give(side: Side): void {
    this.tries = 0;
    side.close();
  }

  private finish(): void {
    if (this.received !== this.info.size) return this.tell({ state: "failed" });
    // Whatever it says it is, it is opened as a download, never as a page of ours.
    this.tell({ state: "done", url: URL.createObjectURL(new Blob(this.pieces, { type: "application/octet-stream" })) });
  }
}

const PENDING_LIMIT = 256; // requests of one connection

const queues = new WeakMap<Side, { last: Promise<void>; pending: number }>();

/** Answer `{m: "r", i}` with that piece, one after the other. */
function serve(side: Side, file: File, message: unknown): void {
  const { m, i } = message as { m?: unknown; i?: unknown };
  if (m !== "r" || typeof i !== "number" || !Number.isInteger(i) || i < 0 || i * CHUNK >= file.size) return;
  const queue = queues.get(side) ?? { last: Promise.resolve(), pending: 0 };
  queues.set(side, queue);
  if (++queue.pending > PENDING_LIMIT) return side.close();
  queue.last = queue.last
    .then(() => send(side, file, i))
    .catch(() => side.close())
    .finally(() => (queue.pending -= 1));
}

async function send(side: Side, file: File, index: number): Promise<void> {
  const channel = side.channel;
  if (channel?.readyState !== "open") return;
  const bytes = new Uint8Array(await file.slice(index * CHUNK, (index + 1) * CHUNK).arrayBuffer());
  if (channel.bufferedAmount > BUFFERED) await drained(channel);
  if (channel.readyState === "open") channel.send(encodeChunk(index, bytes));
}

function drained(channel: RTCDataChannel): Promise<void> {
  return new Promise((resolve) => {
    channel.bufferedAmountLowThreshold = BUFFERED / 2;
    channel.addEventListener("bufferedamountlow", () => resolve(), { once: true });
    channel.addEventListener("close", () => resolve(), { once: true });
  });
}

/** 96 hexadecimal digits, as the old client's HMAC-SHA-384. */
function randomToken(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(48)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
