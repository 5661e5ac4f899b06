import { beforeEach, expect, it, vi } from "vitest";
import { Entrance } from "../../src/call/entrance";
import { renewal, ways } from "../../src/call/ice";
import type { Channel } from "../../src/protocol/channel";
import type { Incoming, Outgoing } from "../../src/protocol/documents";

vi.stubGlobal("navigator", { userAgent: "Chrome/128" });

const WELCOME: Incoming = { type: "Welcome", room: { type: "Room", name: "tea" }, users: [], state: undefined, resume: undefined };
const error = (code: string): Incoming => ({ type: "Error", code, message: "" });

let asked: Outgoing[];
let answers: Incoming[];
let happened: string[];
let entrance: Entrance;

beforeEach(() => {
  [asked, answers, happened] = [[], [], []];
  const channel = {
    forget: () => happened.push("forget"),
    ask: (document: Outgoing) => {
      asked.push(document);
      return Promise.resolve(answers.shift() ?? error("timeout"));
    },
  } as unknown as Channel;
  entrance = new Entrance({ type: "", name: "tea" }, channel, {
    greet: () => happened.push("greet"),
    inside: () => happened.push("inside"),
    waiting: () => happened.push("waiting"),
    refused: (why) => happened.push(why.door),
    back: (users) => happened.push(`back ${users.length}`),
  });
});

it("says who it is, then Hello", async () => {
  answers = [WELCOME];
  await entrance.comeIn(false);
  expect(happened).toEqual(["forget", "greet", "inside"]);
  expect(asked).toEqual([{ Type: "Hello", Hello: { Version: "1.0.0", Ua: "headgate (Chrome 128)", Name: "tea", Type: "", Extensions: ["state", "resume"] } }]);
});

it("needs no Hello where its place was kept", async () => {
  entrance.opening();
  entrance.hasResumed();
  answers = [{ type: "Users", users: [] }];
  await entrance.comeIn(true);
  expect(happened).toEqual(["back 0"]);
});

it("says Hello again where it was not", async () => {
  entrance.hasResumed();
  entrance.opening();
  answers = [error("not_in_room"), WELCOME];
  await entrance.comeIn(true);
  expect(happened).toEqual(["forget", "greet", "inside"]);
});

it("leaves a loss to the next socket", async () => {
  entrance.opening();
  answers = [error("lost")];
  await entrance.comeIn(true);
  answers = [error("lost")];
  await entrance.hello();
  expect(happened).toEqual(["forget", "greet"]);
});

it("asks for a PIN, carries it, and goes on without one that nobody asked for", async () => {
  answers = [error("authorization_required"), error("invalid_credentials"), error("authorization_not_required"), WELCOME];
  await entrance.hello();
  entrance.carry("1234");
  await entrance.hello();
  await entrance.hello();
  await vi.waitFor(() => expect(happened.at(-1)).toBe("inside"));
  expect(happened.filter((one) => one.includes("pin"))).toEqual(["pin", "wrong-pin"]);
  expect(asked.map((one) => (one.Hello as { Credentials?: unknown }).Credentials)).toEqual([undefined, { PIN: "1234" }, { PIN: "1234" }, undefined]);
});

it("goes back to the room of the address where a breakout room does not know it, and when it leaves", async () => {
  answers = [error("not_invited"), WELCOME];
  entrance.place = { type: "Room", name: "tea/Group 1" };
  await entrance.hello();
  await vi.waitFor(() => expect(happened.at(-1)).toBe("inside"));
  expect(asked.map((one) => (one.Hello as { Name: string }).Name)).toEqual(["tea/Group 1", "tea"]);
  answers = [error("not_invited")];
  await entrance.hello();
  expect(happened.at(-1)).toBe("closed");
  entrance.place = { type: "Room", name: "tea/Group 1" };
  entrance.goHome();
  expect(entrance.place.name).toBe("tea");
});

it("has a PIN for each room: who comes back from a breakout room is not asked again", async () => {
  answers = [WELCOME, { ...WELCOME, room: { type: "Room", name: "tea/Group 1" } }, WELCOME];
  entrance.carry("1234");
  for (const name of ["tea", "tea/Group 1", "tea"]) {
    entrance.place = { type: "Room", name };
    await entrance.hello();
  }
  expect(asked.map((one) => (one.Hello as { Credentials?: unknown }).Credentials)).toEqual([{ PIN: "1234" }, undefined, { PIN: "1234" }]);
});

it("waits in the lobby", async () => {
  answers = [{ type: "Waiting", room: { type: "Room", name: "tea" } }];
  await entrance.hello();
  expect(happened.at(-1)).toBe("waiting");
});

it("takes the relay's credentials, and renews them before they end", () => {
  const self = { type: "Self", id: "", sid: "", userid: "", suserid: "", token: "", stun: ["stun:a"], turn: { username: "u", password: "p", ttl: 3600, urls: ["turn:b"] } } as const;
  const of = { ...self, stun: [...self.stun], turn: { ...self.turn, urls: [...self.turn.urls] } };
  expect(ways(of, { relayOnly: true })).toEqual({
    iceServers: [{ urls: ["stun:a"] }, { urls: ["turn:b"], username: "u", credential: "p" }],
    iceTransportPolicy: "relay",
  });
  expect(renewal(of)).toBe(3_240_000);
  const none = { ...of, stun: [], turn: { username: "", password: "", ttl: 0, urls: [] } };
  expect(ways(none, { relayOnly: false })).toEqual({ iceServers: [], iceTransportPolicy: "all" });
  expect(renewal(none)).toBeUndefined();
});
