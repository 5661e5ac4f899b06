import { useState } from "preact/hooks";
import { Icon } from "./icons";

/** Nobody else is here yet: how to bring somebody. */
export function Invitation() {
  return (
    <aside class="invitation" aria-label="Invite">
      <h2>You are the first one here</h2>
      <p>Send this address to whom you want to meet.</p>
      <CopyLink />
    </aside>
  );
}

const SHOWN_FOR = 2_500; // ms

export function CopyLink({ brief = false }: { brief?: boolean }) {
  const [copied, setCopied] = useState(false);
  const address = location.href.split(/[?#]/)[0] ?? "";
  const copy = async () => {
    await navigator.clipboard.writeText(address).catch(() => undefined);
    setCopied(true);
    setTimeout(() => setCopied(false), SHOWN_FOR);
  };
  return (
    <div class={brief ? "copy brief" : "copy"}>
      {!brief && <output class="copy-address">{address.replace(/^https?:\/\//, "")}</output>}
      <button type="button" class={brief ? "quiet" : "plain"} onClick={() => void copy()}>
        <Icon name={copied ? "check" : "link"} />
        <span aria-live="polite">{copied ? "Copied" : "Copy link"}</span>
      </button>
    </div>
  );
}
