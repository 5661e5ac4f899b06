import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Peer } from "../../src/call/peer";
import { Voices } from "../../src/call/voices";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Who makes a sound of two packets' length every half second, so long after each. */
const beeps = (after: number) => ({ level: () => ((performance.now() + 500 - after) % 500 < 40 ? 0.1 : 0) }) as Peer;

it("hears a short sound that comes again and again, whenever that is", () => {
  const peers = new Map(Array.from({ length: 50 }, (_, n) => [`${n}`, beeps(n * 10)]));
  const voices = new Voices({ self: () => "me", peers: () => peers, muted: () => false, spoke: () => {} });
  const heard = new Set<string>();
  voices.start();
  for (let passed = 0; passed < 3_000; passed += 10) {
    vi.advanceTimersByTime(10);
    for (const id of voices.talking.get()) heard.add(id);
  }
  voices.stop();
  expect(heard.size).toBe(peers.size);
  expect(voices.talking.get().size).toBe(0);
});
