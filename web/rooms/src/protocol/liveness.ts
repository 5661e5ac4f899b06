/** Whether the other end of a socket still answers. Times are milliseconds of any one clock. */

export const QUIET = 5_000; // nothing came for so long: ask
export const ANSWER = 6_500; // an answer takes no longer than this

export type Verdict = "alive" | "ask" | "dead";

/**
 * A browser may stop the timers of a page that nobody looks at. So silence alone proves nothing:
 * a socket is dead when it has been asked and has not answered since.
 */
export class Liveness {
  private heard: number;
  private asked: number | undefined;

  constructor(now: number) {
    this.heard = now;
  }

  hear(now: number): void {
    this.heard = now;
    this.asked = undefined;
  }

  /** Call it about once a second. "ask" wants an `Alive` sent. */
  look(now: number): Verdict {
    if (this.asked !== undefined) return now - this.asked >= ANSWER ? "dead" : "alive";
    if (now - this.heard < QUIET) return "alive";
    this.asked = now;
    return "ask";
  }

  /** The network has changed: ask now, whenever something was heard last. */
  doubt(): void {
    if (this.asked === undefined) this.heard = -Infinity;
  }
}
