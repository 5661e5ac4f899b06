import { useRoom, useValue } from "./watch";

/** Why nothing happens to somebody who wants to come in: the server is away. */
export function Unreachable() {
  const { unreachable } = useValue(useRoom().view);
  return (
    <p class="trouble" role="status">
      {unreachable ? "The server does not answer. Trying again…" : ""}
    </p>
  );
}
