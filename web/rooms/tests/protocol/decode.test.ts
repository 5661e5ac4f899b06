import { describe, expect, it } from "vitest";
import { decode, decodeInner } from "../../src/protocol/decode";

function from(data: unknown, outer: Record<string, unknown> = {}) {
  return decode(JSON.stringify({ Data: data, From: "me", ...outer }));
}

describe("decode", () => {
  it("takes nothing that is no document", () => {
    for (const text of ["", "null", "1", '"x"', "[]", "{", "{}", '{"Data":[]}', '{"Data":{"Type":"Nonsense"}}', '{"Data":{"Type":5}}']) {
      expect(decode(text)).toBeUndefined();
    }
  });

  it("takes no message above 1 MiB", () => {
    expect(from({ Type: "Chat", Chat: { Message: "x".repeat(1 << 20) } })).toBeUndefined();
  });

  it("reads Self with a null where the old server wrote one", () => {
    const self = from({ Type: "Self", Id: "a", Sid: "s", Token: "t", Turn: { username: "", password: "", ttl: 0, urls: null } });
    expect(self?.data).toMatchObject({ type: "Self", id: "a", token: "t", turn: { ttl: 0, urls: [] }, stun: [] });
  });

  it("reads Welcome with what was asked for", () => {
    const welcome = from(
      {
        Type: "Welcome",
        Room: { Type: "Room", Name: "tea", Credentials: null },
        Users: [{ Type: "Online", Id: "b", Ua: "old", Status: { displayName: "B" } }, { Id: "" }, null],
        State: { Moderators: ["me", 7], Muted: { b: ["audio", "smell"] }, Limit: -4, Waiting: [{ Id: "w" }], Breakouts: [{ Name: "tea/one" }] },
        Resume: { Timeout: 30, Seq: 12 },
      },
      { Iid: "3" },
    );
    expect(welcome?.iid).toBe("3");
    expect(welcome?.data).toMatchObject({
      room: { type: "Room", name: "tea" },
      users: [{ id: "b" }],
      state: { moderators: ["me"], muted: { b: ["audio"] }, limit: 0, waiting: [{ id: "w" }], breakouts: [{ name: "tea/one", ids: [] }] },
      resume: { timeout: 30, seq: 12 },
    });
  });

  it("has no state and no resume of a server that knows neither", () => {
    expect(from({ Type: "Welcome", Room: {}, Users: [] })?.data).toMatchObject({ state: undefined, resume: undefined });
  });

  it("tells the tag of a side connection, whose id may be a number", () => {
    expect(from({ Type: "Offer", Offer: { sdp: "v=0", _token: "file", _id: 3 } })?.data).toMatchObject({ tag: { token: "file", id: "3" } });
    expect(from({ Type: "Offer", Offer: { sdp: "v=0" } })?.data).toMatchObject({ tag: undefined });
    expect(from({ Type: "Offer", Offer: { type: "offer" } })).toBeUndefined();
  });

  it("makes a file's name no path", () => {
    const file = { id: "t", chunks: 1, size: 5, type: "a/b", name: "../../etc/\u0000passwd" };
    expect(from({ Type: "Chat", Chat: { Message: null, Status: { FileInfo: file } } })?.data).toMatchObject({
      chat: { message: "", file: { name: ".._.._etc__passwd" } },
    });
  });

  it("takes no file whose size its chunks cannot hold", () => {
    const file = { id: "t", chunks: 1, size: 5_000_000, type: "", name: "x" };
    expect(from({ Type: "Chat", Chat: { Status: { FileInfo: file } } })?.data).toMatchObject({ chat: { file: undefined } });
  });

  it("tells a contact request, an acceptance and a refusal apart", () => {
    const success = (request: unknown) => {
      const data = from({ Type: "Chat", Chat: { Status: { ContactRequest: request } } })?.data;
      return data?.type === "Chat" ? data.chat.contact?.success : "no chat";
    };
    expect(success({ Id: "1", Success: false, Userid: "u", Token: "t" })).toBeUndefined();
    expect(success({ Id: "1", Success: true, Userid: "u", Token: "t" })).toBe(true);
    expect(success({ Id: "1", Success: false, Userid: "u" })).toBe(false);
  });

  it("survives whatever is put in every place of every document", () => {
    const types = "Self Welcome Waiting Resumed Joined Left Status Users Sessions Offer Answer Candidate Bye Chat Conference Room Alive State History Removed Moved Announcement Screenshare Error";
    for (const type of types.split(" ")) {
      for (const value of [null, 0, -1, 1e300, "x", [], [null], {}, { a: null }, true]) {
        const names = "Room Users State Resume Offer Answer Candidate Bye Chat Conference Messages Status Screenshare Turn Stun Id Name Type";
        const body = Object.fromEntries(names.split(" ").map((name) => [name, value]));
        expect(() => from({ ...body, Type: type })).not.toThrow();
      }
    }
  });
});

describe("decodeInner", () => {
  it("reads documents with their type repeated inside, and without", () => {
    expect(decodeInner('{"Type":"Screenshare","Id":"x","Screenshare":{"id":"tok"}}')).toEqual({ type: "Screenshare", token: "tok" });
    expect(decodeInner('{"Type":"Chat","Chat":{"Type":"Chat","To":"a","Chat":{"Message":"hi"}}}')).toMatchObject({ chat: { message: "hi" } });
    expect(decodeInner('{"Type":"Chat","Chat":{"Message":"hi"}}')).toMatchObject({ chat: { message: "hi" } });
    expect(decodeInner("no")).toBeUndefined();
  });
});
