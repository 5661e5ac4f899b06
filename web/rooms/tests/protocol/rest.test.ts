import { expect, it, vi } from "vitest";
import { checkCode } from "../../src/protocol/rest";

vi.stubGlobal("document", { baseURI: "https://meet.example/base/" });

let asked: { url: string; body: unknown }[] = [];

function answers(status: number, body: unknown): void {
  asked = [];
  vi.stubGlobal("fetch", (url: URL, { body: sent }: RequestInit) => {
    asked.push({ url: String(url), body: JSON.parse(String(sent ?? "null")) });
    return Promise.resolve(new Response(JSON.stringify(body), { status }));
  });
}

it("shows a code to the server, and to nobody who reads addresses in logs", async () => {
  answers(200, { token: "open sesame", success: true });
  expect(await checkCode("open sesame")).toBe(true);
  expect(asked).toEqual([{ url: "https://meet.example/base/api/v1/tokens", body: { a: "open sesame" } }]);
});

it("tells a wrong code from a server in trouble", async () => {
  answers(403, { code: "invalid_token", success: false });
  expect(await checkCode("x")).toBe(false);
  answers(502, {});
  await expect(checkCode("x")).rejects.toThrow();
});
