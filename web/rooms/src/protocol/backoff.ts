/** How long to wait before the next try to connect: at once, then longer each time, spread so that a room does not come back in step. */
export class Backoff {
  static readonly STEP = 500; // ms, as the old client
  static readonly LONGEST = 10_000; // ms

  private tries = 0;

  constructor(private readonly random: () => number = Math.random) {}

  next(): number {
    const wait = Math.min(this.tries++ * Backoff.STEP, Backoff.LONGEST);
    return wait * (0.75 + this.random() / 2);
  }

  reset(): void {
    this.tries = 0;
  }
}
