import { useState } from "preact/hooks";
import { keepAccount } from "../call/account";
import { type Account, RestError, type ServerConfig } from "../protocol/rest";
import { useRoom } from "./watch";

/** The person's account on this server. */
export function AccountSettings({ config }: { config: ServerConfig }) {
  const room = useRoom();
  const { userid, link } = room.view.get();
  const [useridcombo, setCombo] = useState("");
  const [secret, setSecret] = useState("");
  const [trouble, setTrouble] = useState("");
  const [busy, setBusy] = useState(false);
  const prove = async (account: Account | undefined) => {
    setBusy(true);
    setTrouble("");
    try {
      await room.membership.authenticate(account);
    } catch (error) {
      setTrouble(error instanceof RestError ? error.message : "The server does not answer.");
    }
    setBusy(false);
  };
  if (userid) {
    return (
      <fieldset>
        <legend>Account</legend>
        <p class="hint">
          You are <b class="breakable">{userid}</b>.
        </p>
        <button type="button" class="quiet" onClick={() => (keepAccount(undefined), location.reload())}>
          Sign out of this browser
        </button>
      </fieldset>
    );
  }
  if (link !== "open") {
    return (
      <fieldset>
        <legend>Account</legend>
        <p class="hint">You can sign in as soon as you have joined.</p>
      </fieldset>
    );
  }
  return (
    <fieldset>
      <legend>Account</legend>
      <p class="hint">You are a guest. With an account you have contacts, and come into rooms that are for members.</p>
      {config.usersAllowRegistration && (
        <button type="button" class="plain" disabled={busy} onClick={() => void prove(undefined)}>
          Make an account for this browser
        </button>
      )}
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void prove({ useridcombo, secret });
        }}
      >
        <label class="field">
          Authorisation
          <input value={useridcombo} autocomplete="username" required onInput={(event) => setCombo(event.currentTarget.value)} />
        </label>
        <label class="field">
          Secret
          <input type="password" value={secret} autocomplete="current-password" required onInput={(event) => setSecret(event.currentTarget.value)} />
        </label>
        <button type="submit" class="plain" disabled={busy}>
          Sign in
        </button>
      </form>
      <p class="trouble" role="alert">
        {trouble}
      </p>
    </fieldset>
  );
}
