/** A value that tells who watches it when it has changed. Values are replaced, never changed in place. */
export class Value<T> {
  private readonly watchers = new Set<() => void>();

  constructor(private current: T) {}

  get(): T {
    return this.current;
  }

  set(next: T): void {
    if (Object.is(next, this.current)) return;
    this.current = next;
    for (const watcher of [...this.watchers]) watcher();
  }

  update(change: (current: T) => T): void {
    this.set(change(this.current));
  }

  /** Returns what ends the watching. */
  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }
}
