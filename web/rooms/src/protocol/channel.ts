/** The WebSocket to the server: one dialogue over as many sockets as it takes. */

import { Backoff } from "./backoff";
import { decode } from "./decode";
import { type Envelope, type Incoming, type Outgoing, nested } from "./documents";
import { Liveness } from "./liveness";

const TICK = 1_000; // ms
const CONNECT_TIMEOUT = 10_000; // ms, to the first document
const REPLY_TIMEOUT = 15_000; // ms
const OUTBOX_LIMIT = 256; // documents that wait for the socket
const EXPELLED = 1008; // an operator has ended this session
const LOST = 4000; // a close code above 1005: we mean to come back

export type Link = "connecting" | "open" | "lost" | "closed";

export interface Socket {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

export interface Listener {
  /** Everything but the answers to requests, in the order of the wire. */
  document(envelope: Envelope): void;
  /** `Self` has come on a new socket. `resumes`: the room may still be ours, and `Resumed` may follow. */
  opened(self: Extract<Incoming, { type: "Self" }>, resumes: boolean): void;
  link(link: Link): void;
  /** The server does not want this session any more; the channel is closed. */
  expelled(): void;
}

interface Request {
  resolve(data: Incoming): void;
  timer: ReturnType<typeof setTimeout>;
}

export class Channel {
  /** Documents that were thrown away because too many waited. */
  dropped = 0;

  private link: Link = "closed";
  private socket: Socket | undefined;
  private liveness: Liveness | undefined;
  private ticker: ReturnType<typeof setInterval> | undefined;
  private patience: ReturnType<typeof setTimeout> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private readonly backoff = new Backoff();
  private readonly requests = new Map<string, Request>();
  private outbox: string[] = [];
  /** What was sent and may be on its way still: a socket that dies takes it along. */
  private unproved: string[] = [];
  private proof: { mark: number; count: number } | undefined;
  private holding = true;
  private token = "";
  /** The number of the last document after a `Welcome` that can be resumed. */
  private seen: number | undefined;
  private counter = 0;

  constructor(
    private readonly url: string,
    private readonly listener: Listener,
    private readonly dial: (url: string) => Socket = (to) => new WebSocket(to) as unknown as Socket,
  ) {}

  open(): void {
    if (this.link === "closed") this.connect();
  }

  /** Leave for good. */
  close(): void {
    clearTimeout(this.retry);
    this.drop(1000);
    this.settle();
    this.token = "";
    this.seen = undefined;
    this.outbox = [];
    this.unproved = [];
    this.proof = undefined;
    this.become("closed");
  }

  /** Send now, or when `release` says that the room is ours again. */
  send(document: Outgoing): void {
    const text = JSON.stringify(document);
    if (this.socket && this.link === "open" && !this.holding) return this.dispatch(text);
    if (this.outbox.length >= OUTBOX_LIMIT) {
      this.outbox.shift();
      this.dropped += 1;
    }
    this.outbox.push(text);
  }

  /** Send at once, on a socket that may have no room yet; false: there is none. */
  now(document: Outgoing): boolean {
    if (!this.socket || this.link !== "open") return false;
    this.socket.send(JSON.stringify(document));
    return true;
  }

  /** Send at once, and have the answer; an `Error` is an answer. */
  async ask(document: Outgoing): Promise<Incoming> {
    if (!this.socket || this.link !== "open") return lost();
    const iid = `${++this.counter}`;
    const { promise, resolve } = withResolvers<Incoming>();
    const timer = setTimeout(() => this.answer(iid, { type: "Error", code: "timeout", message: "No answer" }), REPLY_TIMEOUT);
    this.requests.set(iid, { resolve, timer });
    this.socket.send(JSON.stringify({ ...document, Iid: iid }));
    return promise;
  }

  /** What waited goes out, and nothing waits any more: we are in the room. */
  release(): void {
    this.holding = false;
    const waiting = this.outbox;
    this.outbox = [];
    for (const text of waiting) this.dispatch(text);
  }

  private dispatch(text: string): void {
    this.socket?.send(text);
    this.unproved.push(text);
    if (this.unproved.length <= OUTBOX_LIMIT) return;
    this.unproved.shift();
    if (this.proof) this.proof.count -= 1;
  }

  /** An answer to an `Alive` proves that the server has all that was sent before it. */
  private prove(): void {
    if (this.proof || this.unproved.length === 0) return;
    this.proof = { mark: Date.now(), count: this.unproved.length };
    this.alive(this.proof.mark);
  }

  private alive(mark: number): void {
    this.socket?.send(JSON.stringify(nested("Alive", { Alive: mark })));
  }

  /** The room is not ours any more: the next socket starts afresh, and documents wait again. */
  forget(): void {
    this.seen = undefined;
    this.holding = true;
  }

  /** The network came, went or changed. */
  wake(): void {
    if (this.link === "lost") {
      clearTimeout(this.retry);
      this.connect();
    } else if (this.link === "open") {
      this.liveness?.doubt();
      this.tick();
    }
  }

  private connect(): void {
    this.become("connecting");
    this.holding = true;
    const query = this.token ? `?t=${this.token}${this.seen === undefined ? "" : `&seen=${this.seen}`}` : "";
    const socket = this.dial(this.url + query);
    this.patience = setTimeout(() => this.lose(), CONNECT_TIMEOUT);
    this.socket = socket;
    socket.onmessage = (event: MessageEvent<unknown>) => {
      if (typeof event.data !== "string") return;
      clearTimeout(this.patience);
      this.receive(event.data);
    };
    socket.onclose = (event: CloseEvent) => {
      if (this.socket !== socket) return;
      if (event.code !== EXPELLED) return this.lose();
      this.close();
      this.listener.expelled();
    };
  }

  private receive(text: string): void {
    this.liveness?.hear(performance.now());
    const envelope = decode(text);
    if (this.link === "connecting") {
      if (envelope?.data.type !== "Self") return;
      const resumes = this.seen !== undefined;
      this.token = envelope.data.token;
      this.backoff.reset();
      this.liveness = new Liveness(performance.now());
      this.ticker = setInterval(() => this.tick(), TICK);
      this.become("open");
      this.listener.opened(envelope.data, resumes);
      return;
    }
    if (envelope?.data.type === "Resumed") this.seen = envelope.data.seq;
    else if (envelope?.data.type === "Welcome") this.seen = envelope.data.resume?.seq;
    else if (this.seen !== undefined) this.seen += 1;
    if (!envelope) return;
    if (envelope.data.type === "Self") this.token = envelope.data.token;
    if (envelope.data.type === "Alive" && envelope.data.mark === this.proof?.mark) {
      this.unproved.splice(0, Math.max(0, this.proof.count));
      this.proof = undefined;
    }
    if (envelope.iid && this.answer(envelope.iid, envelope.data)) return;
    this.listener.document(envelope);
  }

  private answer(iid: string, data: Incoming): boolean {
    const request = this.requests.get(iid);
    if (!request) return false;
    clearTimeout(request.timer);
    this.requests.delete(iid);
    request.resolve(data);
    return true;
  }

  private tick(): void {
    this.prove();
    const verdict = this.liveness?.look(performance.now());
    if (verdict === "ask") this.alive(Date.now());
    else if (verdict === "dead") this.lose();
  }

  private lose(): void {
    this.drop(LOST);
    // It goes out once more: who has it already knows messages by their Mid, and the rest does no harm twice.
    this.outbox = [...this.unproved, ...this.outbox].slice(-OUTBOX_LIMIT);
    this.unproved = [];
    this.proof = undefined;
    this.settle();
    this.become("lost");
    this.retry = setTimeout(() => this.connect(), this.backoff.next());
  }

  private drop(code: number): void {
    clearInterval(this.ticker);
    clearTimeout(this.patience);
    const socket = this.socket;
    this.socket = undefined;
    this.liveness = undefined;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close(code);
  }

  private settle(): void {
    for (const iid of [...this.requests.keys()]) this.answer(iid, lost());
  }

  private become(link: Link): void {
    if (link === this.link) return;
    this.link = link;
    this.listener.link(link);
  }
}

function lost(): Incoming {
  return { type: "Error", code: "lost", message: "The connection to the server is lost" };
}

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((done) => (resolve = done));
  return { promise, resolve };
}
