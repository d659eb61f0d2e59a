/** The columns of a table: what each shows, how it sorts, and how much room it wants. */

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
  /** How it looks: as text, as code, as a number, as the state of something, or as what the view draws itself. */
  readonly look?: "code" | "number" | "state" | "own";
}

/** The columns there is room for, in their order. */
export function fitting<Row>(columns: readonly Column<Row>[], rem: number): Column<Row>[] {
  const ranks = [...new Set(columns.map((column) => column.rank))].sort((left, right) => left - right);
  let shown = columns.filter((column) => column.rank === 0);
  for (const rank of ranks) {
    const more = columns.filter((column) => column.rank <= rank);
    if (more.reduce((sum, column) => sum + column.width, 0) > rem) break;
    shown = more;
  }
  return shown;
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
    .replace(/(?<![a-z0-9])(v?)(\d+)(?![a-z0-9])/g, (_, v: string, digits: string) => v + digits.padStart(12, "0"));
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
    const looked = column ? [column] : columns;
    const text = column ? rest.join(":") : wanted;
    return (row: Row): boolean => looked.some((column) => column.text(row).toLowerCase().includes(text)) !== isNot;
  });
  return (row) => tests.every((test) => test(row));
}
