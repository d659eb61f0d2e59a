/** The rows of a table that are in sight, as elements: made as they come, kept as long as they stay. */

import type { Part } from "./cells";
import type { Placed } from "./listing";

/** What is to be seen. */
export interface Sight<Row> {
  readonly rows: readonly Placed<Row>[];
  /** The number of the first. */
  readonly first: number;
  /** The keys of the row that keys act on, and of the one that is open. */
  readonly active: string;
  readonly open: string;
}

interface Drawn<Row> {
  readonly element: HTMLElement;
  readonly parts: readonly Part<Row>[];
  index: number;
  isActive: boolean;
  isOpen: boolean;
}

export class Rows<Row> {
  readonly #drawn = new Map<string, Drawn<Row>>();

  constructor(
    private readonly container: HTMLElement,
    /** The beginning of the rows' ids, which end with their keys. */
    private readonly id: string,
    private readonly parts: () => readonly Part<Row>[],
  ) {}

  draw({ rows, first, active, open }: Sight<Row>): void {
    const wanted = new Set(rows.map(({ key }) => key));
    const isFree = (element: Element | null): element is HTMLElement =>
      element instanceof HTMLElement && !wanted.has(element.dataset["key"] ?? "");
    let here = this.container.firstElementChild;
    for (const [offset, { key, row }] of rows.entries()) {
      let drawn = this.#drawn.get(key);
      // What stands here for a row that is gone takes the new one, and only else gives way.
      if (!drawn) drawn = isFree(here) ? this.#reuse(here, key) : this.#make(key);
      while (drawn.element !== here && isFree(here)) here = this.#drop(here);
      for (const part of drawn.parts) part.show(row);
      mark(drawn, first + offset, key === active, key === open);
      if (drawn.element === here) here = here.nextElementSibling;
      else this.container.insertBefore(drawn.element, here);
    }
    while (here) here = isFree(here) ? this.#drop(here) : here.nextElementSibling;
  }

  clear(): void {
    this.container.replaceChildren();
    this.#drawn.clear();
  }

  #make(key: string): Drawn<Row> {
    const element = document.createElement("div");
    element.setAttribute("role", "row");
    element.className = "row";
    const parts = this.parts();
    element.append(...parts.map((part) => part.element));
    return this.#name({ element, parts, index: -1, isActive: false, isOpen: false }, key);
  }

  /** An element for another row; but focus stays with the row that has it. */
  #reuse(element: HTMLElement, key: string): Drawn<Row> {
    const before = element.dataset["key"] ?? "";
    const drawn = this.#drawn.get(before);
    if (!drawn || element.contains(document.activeElement)) return this.#make(key);
    this.#drawn.delete(before);
    return this.#name(drawn, key);
  }

  #name(drawn: Drawn<Row>, key: string): Drawn<Row> {
    drawn.element.id = `${this.id}-${key}`;
    drawn.element.dataset["key"] = key;
    this.#drawn.set(key, drawn);
    return drawn;
  }

  /** Takes an element out; the one after it. */
  #drop(element: HTMLElement): Element | null {
    const next = element.nextElementSibling;
    // Who was in a row that is gone is still in the table.
    if (element.contains(document.activeElement)) this.container.parentElement?.focus({ preventScroll: true });
    this.#drawn.delete(element.dataset["key"] ?? "");
    element.remove();
    return next;
  }
}

/** Says of a row which it is, and whether it is the one that keys act on, or open. */
function mark<Row>(drawn: Drawn<Row>, index: number, isActive: boolean, isOpen: boolean): void {
  const { element } = drawn;
  // The row above it has the titles, and rows are counted from one.
  if (drawn.index !== index) element.setAttribute("aria-rowindex", String(index + 2));
  if (drawn.isActive !== isActive) {
    element.classList.toggle("active", isActive);
    for (const control of element.querySelectorAll<HTMLElement>("a, button")) control.tabIndex = isActive ? 0 : -1;
  }
  if (drawn.isOpen !== isOpen || drawn.index < 0) {
    element.classList.toggle("selected", isOpen);
    element.setAttribute("aria-selected", String(isOpen));
  }
  Object.assign(drawn, { index, isActive, isOpen });
}
