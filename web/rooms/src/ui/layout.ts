/** How tiles share a stage. */

export interface Grid {
  columns: number;
  /** Pixels. */
  width: number;
  height: number;
}

const WIDEST = 16 / 9;
const TALLEST = 1; // narrower ones cut off too much of what cameras see

/** The columns and the tile size that use most of the stage; sizes in pixels. */
export function grid(count: number, width: number, height: number, gap: number): Grid {
  let best: Grid = { columns: 1, width: 0, height: 0 };
  for (let columns = 1; columns <= Math.max(1, count); columns++) {
    const rows = Math.ceil(count / columns);
    const cell = { width: (width - gap * (columns - 1)) / columns, height: (height - gap * (rows - 1)) / rows };
    if (cell.width <= 0 || cell.height <= 0) continue;
    const ratio = Math.min(WIDEST, Math.max(TALLEST, cell.width / cell.height));
    const fit = Math.min(cell.width, cell.height * ratio);
    const tile = { columns, width: Math.floor(fit), height: Math.floor(fit / ratio) };
    if (tile.width * tile.height > best.width * best.height) best = tile;
  }
  return best;
}
