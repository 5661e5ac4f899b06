import { expect, it } from "vitest";
import { Backoff } from "../../src/protocol/backoff";
import { Liveness } from "../../src/protocol/liveness";

it("asks after 5 s of silence, and gives up 6.5 s later", () => {
  const liveness = new Liveness(0);
  expect(liveness.look(4_900)).toBe("alive");
  expect(liveness.look(5_000)).toBe("ask");
  expect(liveness.look(6_000)).toBe("alive");
  expect(liveness.look(11_500)).toBe("dead");
});

it("lives when it is answered", () => {
  const liveness = new Liveness(0);
  liveness.look(5_000);
  liveness.hear(6_000);
  expect(liveness.look(10_000)).toBe("alive");
});

it("takes a page that slept for no dead socket", () => {
  const liveness = new Liveness(0);
  expect(liveness.look(3_600_000)).toBe("ask");
  liveness.hear(3_600_100);
  expect(liveness.look(3_601_000)).toBe("alive");
});

it("asks at once when the network changed", () => {
  const liveness = new Liveness(0);
  liveness.doubt();
  expect(liveness.look(1)).toBe("ask");
});

it("waits longer each time, up to 10 s and a quarter", () => {
  const backoff = new Backoff(() => 1);
  expect(backoff.next()).toBe(0);
  expect(backoff.next()).toBe(625);
  for (let number = 0; number < 50; number++) backoff.next();
  expect(backoff.next()).toBe(12_500);
  backoff.reset();
  expect(backoff.next()).toBe(0);
});
