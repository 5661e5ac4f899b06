/** The screen of a phone stays on while one is in a call. */

export class Awake {
  private lock: WakeLockSentinel | undefined;
  private wanted = false;

  /** The browser lets go whenever the page is hidden: ask again each time it is seen. */
  async hold(): Promise<void> {
    this.wanted = true;
    if (document.visibilityState !== "visible" || (this.lock && !this.lock.released)) return;
    const lock = await navigator.wakeLock?.request("screen").catch(() => undefined); // a battery may be low
    if (this.wanted) this.lock = lock;
    else void lock?.release();
  }

  release(): void {
    this.wanted = false;
    void this.lock?.release();
    this.lock = undefined;
  }

  /** The page is seen again. */
  seen(): void {
    if (this.wanted) void this.hold();
  }
}
