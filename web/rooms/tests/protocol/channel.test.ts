import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Channel, type Link, type Socket } from "../../src/protocol/channel";
import type { Envelope } from "../../src/protocol/documents";

class FakeSocket implements Socket {
  static all: FakeSocket[] = [];
  onopen = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  sent: Record<string, unknown>[] = [];
  closedWith: number | undefined;

  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }

  close(code?: number): void {
    this.closedWith = code;
  }

  says(data: unknown, iid?: string): void {
    this.onmessage?.({ data: JSON.stringify({ Data: data, From: "me", ...(iid ? { Iid: iid } : {}) }) } as never);
  }

  breaks(code = 1006): void {
    this.onclose?.({ code } as never);
  }

  types(): unknown[] {
    return this.sent.map((one) => one.Type);
  }
}

const SELF = { Type: "Self", Id: "me", Token: "tok" };
const WELCOME = { Type: "Welcome", Room: { Type: "Room", Name: "tea" }, Users: [], Resume: { Timeout: 30, Seq: 7 } };

function latest(): FakeSocket {
  const socket = FakeSocket.all.at(-1);
  if (!socket) throw new Error("no socket");
  return socket;
}

describe("Channel", () => {
  let heard: Envelope[];
  let links: Link[];
  let resumes: boolean[];
  let channel: Channel;

  beforeEach(() => {
    vi.useFakeTimers();
    FakeSocket.all = [];
    [heard, links, resumes] = [[], [], []];
    channel = new Channel(
      "ws://there/ws",
      { document: (one) => heard.push(one), opened: (_, again) => resumes.push(again), link: (link) => links.push(link), expelled: () => links.push("expelled" as Link) },
      (url) => new FakeSocket(url),
    );
    channel.open();
  });

  afterEach(() => {
    channel.close();
    vi.useRealTimers();
  });

  function comeIn(): void {
    latest().says(SELF);
    latest().says(WELCOME);
    channel.release();
  }

  it("holds documents back until the room is ours", () => {
    channel.send({ Type: "Chat" });
    latest().says(SELF);
    expect(latest().sent).toEqual([]);
    channel.release();
    expect(latest().types()).toEqual(["Chat"]);
  });

  it("gives an answer to who asked, and to nobody else", async () => {
    latest().says(SELF);
    const answer = channel.ask({ Type: "Users" });
    latest().says({ Type: "Users", Users: [] }, "1");
    expect(await answer).toMatchObject({ type: "Users" });
    expect(heard).toEqual([]);
  });

  it("answers every question when the socket breaks", async () => {
    latest().says(SELF);
    const answer = channel.ask({ Type: "Users" });
    latest().breaks();
    expect(await answer).toMatchObject({ type: "Error", code: "lost" });
  });

  it("comes back with its token and the number of the last document", () => {
    comeIn();
    latest().says({ Type: "Left", Id: "a", Status: "soft" });
    latest().says({ Type: "Unheard of" });
    latest().breaks();
    expect(links.at(-1)).toBe("lost");
    vi.advanceTimersByTime(1_000);
    expect(latest().url).toBe("ws://there/ws?t=tok&seen=9");
    latest().says(SELF);
    expect(resumes).toEqual([false, true]);
    latest().says({ Type: "Resumed", Room: {}, Seq: 9, Lost: 0 });
    latest().says({ Type: "Left", Id: "b", Status: "soft" });
    latest().breaks();
    vi.advanceTimersByTime(2_000);
    expect(latest().url).toContain("seen=10");
  });

  it("leaves a dead socket with a code that means to come back", () => {
    comeIn();
    const dead = latest();
    vi.advanceTimersByTime(20_000);
    expect(dead.types()).toContain("Alive");
    expect(dead.closedWith).toBe(4000);
    expect(FakeSocket.all.length).toBeGreaterThan(1);
  });

  it("sends again what a dead socket may have taken along, and not what was proved", () => {
    comeIn();
    channel.send({ Type: "Chat", Chat: { Mid: "proved" } });
    vi.advanceTimersByTime(1_000);
    const alive = latest().sent.find((one) => one.Type === "Alive") as { Alive: { Alive: number } };
    latest().says({ Type: "Alive", Alive: alive.Alive.Alive });
    channel.send({ Type: "Chat", Chat: { Mid: "lost" } });
    latest().breaks();
    vi.advanceTimersByTime(1_000);
    latest().says(SELF);
    channel.release();
    expect(latest().sent).toEqual([{ Type: "Chat", Chat: { Mid: "lost" } }]);
  });

  it("bounds what waits, and counts what it drops", () => {
    for (let number = 0; number < 300; number++) channel.send({ Type: "Chat", number });
    expect(channel.dropped).toBe(44);
    latest().says(SELF);
    channel.release();
    expect(latest().sent[0]).toMatchObject({ number: 44 });
  });

  it("tries again, at once and then less and less often", () => {
    latest().breaks();
    vi.advanceTimersByTime(0);
    expect(FakeSocket.all).toHaveLength(2);
    latest().breaks();
    vi.advanceTimersByTime(350);
    expect(FakeSocket.all).toHaveLength(2);
    vi.advanceTimersByTime(300);
    expect(FakeSocket.all).toHaveLength(3);
  });

  it("gives up a socket on which nothing comes", () => {
    vi.advanceTimersByTime(10_000);
    expect(FakeSocket.all[0]?.closedWith).toBe(4000);
    expect(links).toEqual(["connecting", "lost"]);
  });

  it("stays closed when it was told so before anything came", () => {
    channel.close();
    vi.advanceTimersByTime(60_000);
    expect(FakeSocket.all).toHaveLength(1);
  });

  it("does not come back when it was put out", () => {
    comeIn();
    latest().breaks(1008);
    vi.advanceTimersByTime(60_000);
    expect(links.slice(-2)).toEqual(["closed", "expelled"]);
    expect(FakeSocket.all).toHaveLength(1);
  });

  it("is closed for good when told so", () => {
    comeIn();
    channel.close();
    vi.advanceTimersByTime(60_000);
    expect(latest().closedWith).toBe(1000);
    expect(FakeSocket.all).toHaveLength(1);
  });
});
