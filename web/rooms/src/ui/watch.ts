import { createContext } from "preact";
import { useContext, useLayoutEffect, useReducer } from "preact/hooks";
import type { Room } from "../call/room";
import type { Value } from "../value";

/** The present value, and a new rendering whenever it changes. */
export function useValue<T>(value: Value<T>): T {
  const [, render] = useReducer((count: number) => count + 1, 0);
  const seen = value.get();
  useLayoutEffect(() => {
    if (value.get() !== seen) render(undefined as never);
    return value.watch(() => render(undefined as never));
  }, [value]);
  return seen;
}

export const RoomContext = createContext<Room | undefined>(undefined);

export function useRoom(): Room {
  const room = useContext(RoomContext);
  if (!room) throw new Error("outside a room");
  return room;
}
