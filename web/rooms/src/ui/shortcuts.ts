import { useLayoutEffect } from "preact/hooks";
import { preferences } from "../preferences";

/** Single keys, unless somebody types, a dialog is open, or they are switched off (WCAG 2.1.4). */
export function useShortcuts(keys: Record<string, () => void>): void {
  useLayoutEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (!preferences.get().shortcuts || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      const target = event.target as HTMLElement;
      if (target.closest("input, textarea, select, [contenteditable], dialog, [role=menu], [role=tablist]")) return;
      const act = keys[event.key.toLowerCase()];
      if (!act) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  });
}
