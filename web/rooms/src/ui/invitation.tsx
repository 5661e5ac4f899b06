import { useState } from "preact/hooks";
import { copyText } from "./clipboard";
import { Icon } from "./icons";

/** Nobody else is here yet: how to bring somebody. */
export function Invitation() {
  return (
    <aside class="invitation" aria-label="Invite">
      <h2>Nobody else is here</h2>
      <p>Send this address to whom you want to meet.</p>
      <CopyLink />
    </aside>
  );
}

const SHOWN_FOR = 2_500; // ms
const COPY = "Copy link";
const COPIED = "Copied";

export function CopyLink({ brief = false }: { brief?: boolean }) {
  const [words, setWords] = useState(COPY);
  const address = location.href.split(/[?#]/)[0] ?? "";
  const copy = async () => {
    setWords((await copyText(address)) ? COPIED : "Not copied");
    setTimeout(() => setWords(COPY), SHOWN_FOR);
  };
  return (
    <div class={brief ? "copy brief" : "copy"}>
      {!brief && <output class="copy-address">{address.replace(/^https?:\/\//, "")}</output>}
      <button type="button" class={brief ? "quiet" : "plain"} onClick={() => void copy()}>
        <Icon name={words === COPIED ? "check" : "link"} />
        <span aria-live="polite">{words}</span>
      </button>
    </div>
  );
}
