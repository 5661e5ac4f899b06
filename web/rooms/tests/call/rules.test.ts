import { expect, it } from "vitest";
import { budget } from "../../src/call/budget";
import { contactKey, seal, unseal, withContact } from "../../src/call/contacts";
import { deal } from "../../src/call/moderation";
import { originOf } from "../../src/call/peer";
import { grade, sample } from "../../src/call/quality";
import { refusal } from "../../src/call/refusal";
import { givesWay, offersTo } from "../../src/call/rules";
import { grid } from "../../src/ui/layout";
import { parts } from "../../src/ui/linking";

it("lets one of two offer, and the other give way", () => {
  expect(offersTo("a", "b")).toBe(true);
  expect(offersTo("b", "a")).toBe(false);
  expect(givesWay("b", "a")).toBe(true);
  expect(givesWay("a", "b")).toBe(false);
});

it("grades a connection by loss and round trip since the last look", () => {
  const at = (packets: number, lost: number, roundTrip: number) => ({ packets, lost, missed: 0, roundTrip, bytes: packets * 100, at: packets });
  expect(grade(at(1000, 50, 0.01), at(2000, 50, 0.01))).toMatchObject({ quality: "good", loss: 0, rate: 800_000 });
  expect(grade(at(1000, 0, 0.01), at(1960, 40, 0.01)).quality).toBe("fair");
  expect(grade(at(1000, 0, 0.01), at(1900, 100, 0.01)).quality).toBe("poor");
  expect(grade(at(0, 0, 0.01), at(1000, 0, 0.5)).quality).toBe("fair");
  expect(grade(at(0, 0, 0.01), { ...at(1000, 0, 0.01), missed: 0.05 })).toMatchObject({ quality: "fair", loss: 0.05 });
  expect(grade(at(500, 5, 0.01), at(0, 0, 0.01))).toMatchObject({ quality: "good", rate: 0 });
});

it("sends less to each, the more there are, and never more than a home can upload", () => {
  expect(budget(1)).toMatchObject({ scaleResolutionDownBy: 1 });
  for (let others = 2; others <= 32; others++) {
    expect(budget(others).maxBitrate).toBeLessThanOrEqual(budget(others - 1).maxBitrate);
    if (others <= 10) expect(others * budget(others).maxBitrate).toBeLessThanOrEqual(4_000_000);
  }
});

it("sums what comes in over all lines", () => {
  const report = [
    { type: "inbound-rtp", packetsReceived: 10, packetsLost: -2, bytesReceived: 100 },
    { type: "inbound-rtp", packetsReceived: 5, packetsLost: 1, bytesReceived: 50 },
    { type: "candidate-pair", nominated: false, currentRoundTripTime: 9 },
    { type: "candidate-pair", nominated: true, currentRoundTripTime: 0.02 },
    { type: "codec" },
  ];
  expect(sample(report, 7)).toEqual({ packets: 15, lost: 1, missed: 0, roundTrip: 0.02, bytes: 150, at: 7 });
});

it("measures the way that is in use, in whatever words the browser says which", () => {
  const old = { id: "old", type: "candidate-pair", nominated: true, currentRoundTripTime: 9 };
  const now = { id: "now", type: "candidate-pair", nominated: true, currentRoundTripTime: 0.02 };
  const transport = { type: "transport", selectedCandidatePairId: "now" };
  const heard = { type: "remote-inbound-rtp", roundTripTime: 0.4, fractionLost: 0.25 };
  expect(sample([now, transport, old], 0).roundTrip).toBe(0.02);
  expect(sample([{ ...now, selected: true }, { ...old, selected: false }], 0).roundTrip).toBe(0.02);
  expect(sample([heard, { ...now, currentRoundTripTime: undefined }], 0)).toMatchObject({ roundTrip: 0.4, missed: 0.25 });
});

it("knows another session by its origin, whatever its version", () => {
  const sdp = (session: string, version: number) => `v=0\r\no=- ${session} ${version} IN IP4 127.0.0.1\r\ns=-\r\n`;
  expect(originOf(sdp("12", 2))).toBe(originOf(sdp("12", 3)));
  expect(originOf(sdp("12", 2))).not.toBe(originOf(sdp("13", 2)));
});

it("deals everybody out, as evenly as it goes", () => {
  const rooms = deal(["a", "b", "c", "d", "e"], 2, () => 0.4);
  expect(rooms.map((room) => room.Ids.length)).toEqual([3, 2]);
  expect(rooms.flatMap((room) => room.Ids).sort()).toEqual(["a", "b", "c", "d", "e"]);
});

it("opens contacts with the key they were closed with, and with no other", async () => {
  const contact = { userid: "u", name: "Ada", token: "t" };
  const sealed = await seal([contact], await contactKey("s", "server"));
  expect(await unseal(sealed, await contactKey("s", "server"))).toEqual([contact]);
  expect(await unseal(sealed, await contactKey("other", "server"))).toEqual([]);
  expect(await unseal("nonsense", await contactKey("s", "server"))).toEqual([]);
  expect(withContact([contact], { ...contact, token: "new" })).toEqual([{ ...contact, token: "new" }]);
});

it("says in words what the server refuses, also what it does not know", () => {
  expect(refusal("authorization_required", "").door).toBe("pin");
  expect(refusal("news", "Because").text).toBe("Because");
});

it("uses the stage well, without narrow tiles", () => {
  expect(grid(1, 1600, 900, 12)).toEqual({ columns: 1, width: 1600, height: 900 });
  expect(grid(4, 1600, 900, 12).columns).toBe(2);
  expect(grid(3, 390, 700, 12).columns).toBe(1);
  const many = grid(9, 1200, 800, 12);
  expect(many.width / many.height).toBeGreaterThanOrEqual(1);
  expect(grid(5, 0, 0, 12)).toEqual({ columns: 1, width: 0, height: 0 });
});

it("finds addresses in text, http and https only", () => {
  expect(parts("See https://a.example/x?y=1, or javascript:alert(1).")).toEqual([
    { text: "See " },
    { text: "https://a.example/x?y=1", href: "https://a.example/x?y=1" },
    { text: ", or javascript:alert(1)." },
  ]);
  expect(parts("nothing")).toEqual([{ text: "nothing" }]);
});
