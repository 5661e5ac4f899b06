import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./icons";

export interface Item {
  label: string;
  danger?: boolean;
  act: () => void;
}

const GAP = 4; // pixels, from the button
const EDGE = 8; // pixels, from the window's edges

/** A button that opens a list of actions; arrows move, Escape closes. */
export function Menu({ label, items }: { label: string; items: readonly Item[] }) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const shut = () => {
    setOpen(false);
    button.current?.focus();
  };

  useLayoutEffect(() => {
    // Above everything: tiles and panels cut off what is in them.
    if (!open || !list.current || !button.current) return;
    list.current.showPopover?.();
    place(list.current, button.current.getBoundingClientRect());
    list.current.querySelector<HTMLElement>("[role=menuitem]")?.focus();
  }, [open]);
  useEffect(() => {
    if (!open) return undefined;
    const away = (event: Event) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    const moved = (event: Event) => {
      if (event.target === window || (event.target as Node).contains(button.current)) setOpen(false);
    };
    document.addEventListener("pointerdown", away);
    window.addEventListener("resize", moved);
    document.addEventListener("scroll", moved, true);
    return () => {
      document.removeEventListener("pointerdown", away);
      window.removeEventListener("resize", moved);
      document.removeEventListener("scroll", moved, true);
    };
  }, [open]);

  const keys = (event: KeyboardEvent) => {
    const all = [...(root.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    if (event.key === "Escape") shut();
    else if (event.key === "Tab") return setOpen(false);
    else if (event.key === "ArrowDown") all[(at + 1) % all.length]?.focus();
    else if (event.key === "ArrowUp") all[(at - 1 + all.length) % all.length]?.focus();
    else if (event.key === "Home") all[0]?.focus();
    else if (event.key === "End") all.at(-1)?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  if (items.length === 0) return null;
  return (
    <div class="menu" ref={root} onKeyDown={open ? keys : undefined}>
      <button ref={button} type="button" class="quiet round" aria-label={label} aria-haspopup="menu" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Icon name="more" />
      </button>
      {open && (
        <div ref={list} class="menu-list" role="menu" aria-label={label} popover="manual">
          {items.map((item) => (
            <button
              type="button"
              role="menuitem"
              tabIndex={-1}
              class={item.danger ? "danger" : ""}
              onClick={() => {
                shut();
                item.act();
              }}
            >
              {item.label}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

/** Below its button, or above where there is more room; never outside the window. */
function place(list: HTMLElement, at: DOMRect): void {
  const { width, height } = list.getBoundingClientRect();
  const below = innerHeight - at.bottom - GAP - EDGE;
  const top = height <= below || below >= at.top ? at.bottom + GAP : Math.max(EDGE, at.top - GAP - height);
  const left = Math.min(Math.max(EDGE, at.right - width), innerWidth - EDGE - width);
  list.style.top = `${top}px`;
  list.style.left = `${left}px`;
  list.style.maxHeight = `${innerHeight - top - EDGE}px`;
}
