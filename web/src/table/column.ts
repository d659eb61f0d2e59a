/** The columns of a table: what each shows, how it sorts, and how much room it wants. */

import type { Series } from "../mirror/usage";
import type { Tone } from "../ui/state";

export interface Column<Row> {
  readonly key: string;
  readonly title: string;
  /** What is shown, searched and copied. */
  readonly text: (row: Row) => string;
  /** What it is sorted by, where that is not the text. */
  readonly order?: (row: Row) => number;
  /** The least room it needs, in `rem`, and its share of what is left. */
  readonly width: number;
  readonly share: number;
  /** Columns with a greater number go first where there is no room. 0 always stays. */
  readonly rank: number;
  /** How it looks where that is not text: as code, as a number, or as the state of something. */
  readonly look?: "code" | "number" | "state";
  /** The tone that its text is marked with. */
  readonly tone?: (row: Row) => Tone;
  /** Where it leads. */
  readonly link?: (row: Row) => string;
  /** What is measured all the time: it is plotted, with the latest as text. */
  readonly measured?: {
    readonly series: (row: Row) => Series | undefined;
    /** Read to learn of new samples. */
    readonly beat: () => number;
    /** Called while it is shown; what it returns is called when it is no longer. */
    readonly watch: () => () => void;
  };
}

/** The greatest rank of columns that there is room for. */
export function rankFor<Row>(columns: readonly Column<Row>[], rem: number): number {
  const ranks = [...new Set(columns.map((column) => column.rank))].sort((left, right) => left - right);
  let fits = 0;
  for (const rank of ranks) {
    const shown = columns.filter((column) => column.rank <= rank);
    if (shown.reduce((sum, column) => sum + column.width, 0) > rem) break;
    fits = rank;
  }
  return fits;
}

/** The columns as a track list of CSS grid. */
export function tracks<Row>(columns: readonly Column<Row>[]): string {
  return columns
    .map(({ width, share }) => `minmax(${width}rem, ${share === 0 ? `${width}rem` : `${share}fr`})`)
    .join(" ");
}

/** A text that sorts as people read: without case, and numbers by their value; digits within ids and words are no numbers. */
export function natural(text: string): string {
  return text
    .toLowerCase()
    .replace(/(?<![a-z0-9])(v?)(\d{1,7})(?![a-z0-9])/g, (_, v: string, digits: string) => v + digits.padStart(12, "0"));
}

/** A filter as a test: every word must be in the row; `column:word` looks into one column; `-word` must not be there. */
export function matcher<Row>(filter: string, columns: readonly Column<Row>[]): (row: Row) => boolean {
  const words = filter
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "" && word !== "-");
  if (words.length === 0) return () => true;
  const tests = words.map((word) => {
    const isNot = word.startsWith("-");
    const wanted = isNot ? word.slice(1) : word;
    const [key = "", ...rest] = wanted.split(":");
    const column =
      rest.length > 0 ? columns.find((column) => column.key === key || column.title.toLowerCase() === key) : undefined;
    // What is measured is another number every other second: nobody looks for that without naming it.
    const looked = column ? [column] : columns.filter(({ measured }) => !measured);
    const text = column ? rest.join(":") : wanted;
    return (row: Row): boolean => looked.some((column) => column.text(row).toLowerCase().includes(text)) !== isNot;
  });
  return (row) => tests.every((test) => test(row));
}
