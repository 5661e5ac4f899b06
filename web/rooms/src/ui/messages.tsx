import type { Delivery, Message } from "../call/conversation";
import type { Transfer } from "../call/files";
import type { FileInfo } from "../protocol/documents";
import { Icon } from "./icons";
import { parts } from "./linking";
import { useRoom } from "./watch";

const TOGETHER = 3 * 60_000; // ms: messages of one person so close together share a heading

const TOLD: Record<Delivery, string> = { sending: "Sending", sent: "Sent", delivered: "Delivered", read: "Read" };

export function MessageList({ messages }: { messages: readonly Message[] }) {
  return (
    <ol class="message-list">
      {messages.map((one, index) => {
        const before = messages[index - 1];
        const goesOn = before && !before.notice && before.from === one.from && one.time - before.time < TOGETHER;
        return <Entry key={`${one.from}/${one.mid || index}`} message={one} headed={!goesOn} />;
      })}
    </ol>
  );
}

function Entry({ message, headed }: { message: Message; headed: boolean }) {
  const own = message.from === "";
  if (message.notice) return <li class="notice">{message.text}</li>;
  return (
    <li class={`message ${own ? "own" : ""} ${headed ? "headed" : ""}`}>
      {headed && (
        <p class="message-head">
          <b>{own ? "You" : message.name}</b> <time dateTime={new Date(message.time).toISOString()}>{clock(message.time)}</time>
        </p>
      )}
      {message.text && (
        <p class="bubble">
          {parts(message.text).map((part) =>
            part.href ? (
              <a href={part.href} target="_blank" rel="noopener noreferrer nofollow">
                {part.text}
              </a>
            ) : (
              part.text
            ),
          )}
        </p>
      )}
      {message.file && <FileCard from={message.from} file={message.file} />}
      {message.location && <Location {...message.location} />}
      {message.delivery && <p class="delivery">{TOLD[message.delivery]}</p>}
    </li>
  );
}

function FileCard({ from, file }: { from: string; file: FileInfo }) {
  const room = useRoom();
  const transfer = room.files.transfers.get(file.id) ?? ({ state: "offered" } as const);
  return (
    <div class="file">
      <Icon name="file" />
      <span class="file-words">
        <span class="file-name">{file.name}</span>
        <span class="file-size">
          {size(file.size)}
          {from && transfer.state === "running" ? `, ${Math.round(transfer.share * 100)} %` : ""}
          {from && transfer.state === "failed" ? ", it did not arrive" : ""}
        </span>
      </span>
      {from && <FileAction transfer={transfer} file={file} fetch={() => room.files.fetch(from, file)} />}
    </div>
  );
}

function FileAction({ transfer, file, fetch }: { transfer: Transfer; file: FileInfo; fetch: () => void }) {
  switch (transfer.state) {
    case "offered":
    case "failed":
      return (
        <button type="button" class="plain" onClick={fetch}>
          {transfer.state === "failed" ? "Try again" : "Get"}
        </button>
      );
    case "running":
      return <progress max={1} value={transfer.share} aria-label={`${file.name} is coming`} />;
    case "done":
      return (
        <a class="plain button" href={transfer.url} download={file.name}>
          Save
        </a>
      );
  }
}

function Location({ latitude, longitude }: { latitude: number; longitude: number }) {
  const [lat, lon] = [latitude.toFixed(5), longitude.toFixed(5)];
  return (
    <p class="bubble">
      <a href={`https://www.openstreetmap.org/?mlat=${lat}&mlon=${lon}#map=16/${lat}/${lon}`} target="_blank" rel="noopener noreferrer">
        Where they are: {lat}, {lon}
      </a>
    </p>
  );
}

function clock(time: number): string {
  return new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

function size(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB"];
  const step = bytes < 1000 ? 0 : Math.min(3, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** step).toFixed(step === 0 ? 0 : 1)} ${units[step]}`;
}
