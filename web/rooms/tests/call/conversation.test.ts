import { expect, it } from "vitest";
import * as log from "../../src/call/conversation";

const message = (mid: string, from: string): log.Message => ({ ...log.notice("hello", 0), mid, from, notice: false, delivery: from ? undefined : "sending" });

it("counts what nobody has looked at, and not what we said", () => {
  let now = log.said(log.NO_CONVERSATIONS, log.ROOM, message("1", "a"), undefined);
  now = log.said(now, "b", message("2", "b"), undefined);
  now = log.said(now, log.ROOM, message("3", ""), undefined);
  now = log.said(now, "b", message("4", "b"), "b");
  expect(log.unread(now)).toBe(2);
  expect(log.unread(log.read(now, "b"))).toBe(1);
});

it("shows a message once, though it was sent twice", () => {
  let now = log.said(log.NO_CONVERSATIONS, "a", message("1", "a"), undefined);
  expect(log.said(now, "a", message("1", "a"), undefined)).toBe(now);
  now = log.said(now, "a", message("1", ""), undefined); // their Mid may be ours too
  expect(log.thread(now, "a").messages).toHaveLength(2);
});

it("goes from sent to read and never back", () => {
  let now = log.said(log.NO_CONVERSATIONS, "a", message("1", ""), "a");
  now = log.delivered(now, "a", ["1"], "read");
  now = log.delivered(now, "a", ["1"], "sent");
  expect(log.thread(now, "a").messages[0]?.delivery).toBe("read");
});

it("keeps no more than it may", () => {
  let now = log.NO_CONVERSATIONS;
  for (let number = 0; number < log.KEPT + 5; number++) now = log.said(now, log.ROOM, message(`${number}`, "a"), log.ROOM);
  expect(log.thread(now, log.ROOM).messages).toHaveLength(log.KEPT);
  expect(log.thread(now, log.ROOM).messages[0]?.mid).toBe("5");
});

it("puts history before, and only once", () => {
  const history = [{ from: "a", userid: "", message: "early", time: "2026-01-02T03:04:05Z" }];
  const now = log.remembered(log.NO_CONVERSATIONS, history, () => "A");
  expect(log.thread(now, log.ROOM).messages).toMatchObject([{ text: "early", name: "A", time: Date.UTC(2026, 0, 2, 3, 4, 5) }]);
  expect(log.remembered(now, history, () => "A")).toBe(now);
});
