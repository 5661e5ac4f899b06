/** The server's REST endpoints a client needs. Failures are `RestError`, with the server's own words. */

export interface ServerConfig {
  title: string;
  usersEnabled: boolean;
  usersAllowRegistration: boolean;
  modules: string[];
  serverToken: string;
  /** The page is for those who have a code. */
  codes: boolean;
}

export interface Account {
  useridcombo: string;
  secret: string;
}

export class RestError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

const TIMEOUT = 10_000; // ms

export async function getConfig(): Promise<ServerConfig> {
  const of = await call("GET", "api/v1/config");
  return {
    title: String(of.Title ?? "Rooms"),
    usersEnabled: of.UsersEnabled === true,
    usersAllowRegistration: of.UsersAllowRegistration === true,
    modules: Array.isArray(of.Modules) ? of.Modules.map(String) : [],
    serverToken: String(of.Token ?? ""),
    codes: of.Tokens === true,
  };
}

/** Whether this code lets people in. */
export async function checkCode(code: string): Promise<boolean> {
  try {
    await call("POST", "api/v1/tokens", { a: code });
    return true;
  } catch (error) {
    if (error instanceof RestError && (error.code === "invalid_token" || error.code === "auth_too_large")) return false;
    throw error;
  }
}

/** A room name nobody can guess. */
export async function newRoom(): Promise<string> {
  return String((await call("POST", "api/v1/rooms")).name);
}

/** Make an account for this connection. Its secret is shown this once. */
export async function register(id: string, sid: string): Promise<Account & { userid: string; nonce: string }> {
  const of = await call("POST", "api/v1/users", { id, sid });
  return { useridcombo: String(of.useridcombo), secret: String(of.secret), userid: String(of.userid), nonce: String(of.nonce) };
}

/** Prove an account; the nonce goes into an `Authentication` within 60 s. */
export async function authorise(id: string, sid: string, account: Account): Promise<{ userid: string; nonce: string }> {
  const of = await call("PATCH", `api/v1/sessions/${encodeURIComponent(id)}/`, { id, sid, ...account });
  return { userid: String(of.userid), nonce: String(of.nonce) };
}

async function call(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(new URL(path, document.baseURI), {
    method,
    signal: AbortSignal.timeout(TIMEOUT),
    ...(body === undefined ? {} : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
  });
  const answer = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  if (!response.ok) throw new RestError(String(answer.code ?? response.status), String(answer.message ?? response.statusText));
  return answer;
}
