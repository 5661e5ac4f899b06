/** What has just happened, told to the person for a while. */

import { Value } from "../value";

const SHOWN_FOR = 7_000; // ms
const LIMIT = 4; // at once; the oldest goes

export interface Notice {
  id: number;
  text: string;
}

export class Notices {
  readonly shown = new Value<readonly Notice[]>([]);
  private counter = 0;

  clear(): void {
    this.shown.set([]);
  }

  tell(text: string): void {
    const notice = { id: ++this.counter, text };
    // Said again, it is news again; but nobody needs to read it twice.
    this.shown.update((now) => [...now.filter((one) => one.text !== text), notice].slice(-LIMIT));
    setTimeout(() => this.shown.update((now) => now.filter((one) => one !== notice)), SHOWN_FOR);
  }
}
