import { useState } from "preact/hooks";
import { checkCode } from "../protocol/rest";

const KEY = "headgate.code";

export function keptCode(): string {
  return localStorage.getItem(KEY) ?? "";
}

/** Where the page is for those who have a code: the question for it. */
export function CodeDoor({ title, enter }: { title: string; enter: () => void }) {
  const [code, setCode] = useState("");
  const [trouble, setTrouble] = useState("");
  const check = async () => {
    const good = await checkCode(code).catch(() => undefined);
    if (good) {
      localStorage.setItem(KEY, code);
      enter();
    } else setTrouble(good === false ? "That is no code of this server." : "The server does not answer. Try again.");
  };
  return (
    <main class="door">
      <p class="eyebrow">{title}</p>
      <h1>You need a code to come in</h1>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void check();
        }}
      >
        <label class="field">
          Access code
          <input value={code} autocomplete="off" autofocus required onInput={(event) => setCode(event.currentTarget.value)} />
        </label>
        <p class="trouble" role="alert">
          {trouble}
        </p>
        <button type="submit" class="primary">
          Go in
        </button>
      </form>
    </main>
  );
}
