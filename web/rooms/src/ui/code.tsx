import { useEffect, useRef, useState } from "preact/hooks";
import { checkCode } from "../protocol/rest";

const KEY = "headgate.code";

/** Where the page is for those who have a code: the question for it. Who has given a good one before is not asked. */
export function CodeDoor({ title, enter }: { title: string; enter: () => void }) {
  const [code, setCode] = useState("");
  const [trouble, setTrouble] = useState("");
  const [busy, setBusy] = useState(false);
  const [kept, setKept] = useState(keptCode);
  const field = useRef<HTMLInputElement>(null);
  const check = async (tried: string) => {
    setBusy(true);
    const good = await checkCode(tried).catch(() => undefined);
    setBusy(false);
    if (good) keep(tried);
    if (good) return enter();
    setTrouble(good === false ? "That is no code of this server." : "The server does not answer. Try again.");
    field.current?.select();
  };
  useEffect(() => {
    // A code may have been taken back since.
    if (kept) void check(kept).then(() => setKept(""));
    else field.current?.focus();
  }, [kept]);
  if (kept) return null;
  return (
    <main class="door">
      <p class="eyebrow">{title}</p>
      <h1>You need a code to come in</h1>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void check(code);
        }}
      >
        <label class="field">
          Access code
          <input
            ref={field}
            value={code}
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            required
            aria-invalid={trouble !== ""}
            aria-describedby="code-trouble"
            onInput={(event) => setCode(event.currentTarget.value)}
          />
        </label>
        <p id="code-trouble" class="trouble" role="alert">
          {trouble}
        </p>
        <button type="submit" class="primary" disabled={busy}>
          Go in
        </button>
      </form>
    </main>
  );
}

function keptCode(): string {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

function keep(code: string): void {
  try {
    localStorage.setItem(KEY, code);
  } catch {
    // Private windows may keep nothing: it is asked for again next time.
  }
}
