/** Which rows of many are in sight. All are of one height, so that nothing need be measured. */

export interface Slice {
  readonly first: number;
  /** Behind the last. */
  readonly end: number;
}

/** Rows beyond both edges, so that scrolling finds them there. */
const MARGIN = 8;

export function visible(count: number, rowHeight: number, scrolled: number, height: number): Slice {
  const first = Math.max(0, Math.floor(scrolled / rowHeight) - MARGIN);
  const end = Math.min(count, Math.ceil((scrolled + height) / rowHeight) + MARGIN);
  return { first: Math.min(first, Math.max(0, count - 1)), end };
}

/** How far to scroll so that a row is in sight; where it is already, as far as now. */
export function reveal(index: number, rowHeight: number, scrolled: number, height: number): number {
  const top = index * rowHeight;
  if (top < scrolled) return top;
  if (top + rowHeight > scrolled + height) return top + rowHeight - height;
  return scrolled;
}
