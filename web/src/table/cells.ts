/**
 * What a row shows, made by hand: rows come and go by the dozen while somebody scrolls, and a component for each cell
 * takes longer than a frame has. Each part is made once for a row, and touches the page only where something differs.
 */

import { ICONS } from "../ui/icons";
import { area, HEIGHT, line, WIDTH } from "../ui/plot";
import { SHAPES } from "../ui/shapes";
import type { Look } from "../ui/state";
import type { Action } from "./action";
import type { Column } from "./column";

/** A part of a row: its element, and what shows a row in it. */
export interface Part<Row> {
  readonly element: HTMLElement;
  readonly show: (row: Row) => void;
}

const SVG = "http://www.w3.org/2000/svg";

function make<Name extends keyof HTMLElementTagNameMap>(name: Name, className: string): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  element.className = className;
  return element;
}

function cell(className: string): HTMLElement {
  const element = make("div", `cell ${className}`);
  element.setAttribute("role", "gridcell");
  return element;
}

/** A drawing of one path for each class. */
function drawing(
  className: string,
  width: number,
  height: number,
  paths: readonly string[],
): [SVGElement, SVGElement[]] {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", className);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("aria-hidden", "true");
  const made = paths.map((className) => {
    const path = document.createElementNS(SVG, "path");
    if (className !== "") path.setAttribute("class", className);
    return path;
  });
  svg.append(...made);
  return [svg, made];
}

/** A text in an element, and what changes it. */
function text(within: HTMLElement): (text: string) => void {
  const node = document.createTextNode("");
  within.append(node);
  return (text) => {
    if (node.data !== text) node.data = text;
  };
}

/** The shape and the label of a state. */
function badge(within: HTMLElement): (look: Look) => void {
  const [svg, [path]] = drawing("shape", 12, 12, [""]);
  within.append(svg);
  const label = text(within);
  let shown: Look | undefined;
  return (look) => {
    label(look.label);
    if (shown?.shape !== look.shape && path) {
      const { path: d, line, dashes } = SHAPES[look.shape];
      path.setAttribute("d", d);
      path.setAttribute("class", line === undefined ? "" : "line");
      path.setAttribute("stroke-width", String(line ?? 0));
      if (dashes === undefined) path.removeAttribute("stroke-dasharray");
      else path.setAttribute("stroke-dasharray", dashes);
    }
    if (shown?.tone !== look.tone) svg.setAttribute("class", `shape ${look.tone}`);
    shown = look;
  };
}

/** The cell of a column. */
export function cellOf<Row>(column: Column<Row>, lookOf?: (row: Row) => Look): Part<Row> {
  if (column.measured) return measured(column, column.measured);
  if (column.look === "state" && lookOf) {
    const element = cell("cut state");
    const show = badge(element);
    return { element, show: (row) => show(lookOf(row)) };
  }
  const element = cell(`cut ${column.look ?? ""}`);
  const { link, tone } = column;
  if (link) {
    const anchor = make("a", "");
    anchor.tabIndex = -1;
    element.append(anchor);
    const show = text(anchor);
    return {
      element,
      show: (row) => {
        show(column.text(row));
        anchor.href = link(row);
      },
    };
  }
  if (tone) return { element, show: toneOf(column, element) };
  const show = text(element);
  return { element, show: (row) => show(column.text(row)) };
}

/** The text of a column, marked with its tone. */
function toneOf<Row>(column: Column<Row>, within: HTMLElement): (row: Row) => void {
  const mark = make("span", "");
  within.append(mark);
  const show = text(mark);
  return (row) => {
    show(column.text(row));
    mark.className = `tone ${column.tone?.(row)}`;
  };
}

/** A plot of what is measured, and the latest of it. */
function measured<Row>(column: Column<Row>, { series }: NonNullable<Column<Row>["measured"]>): Part<Row> {
  const element = cell("measured");
  const [svg, [below, above]] = drawing("plot", WIDTH, HEIGHT, ["area", ""]);
  element.append(svg);
  const latest = text(element);
  let plotted: { samples: unknown; taken: number } = { samples: undefined, taken: 0 };
  return {
    element,
    show: (row) => {
      const samples = series(row);
      const taken = samples?.taken ?? 0;
      if (plotted.samples === samples && plotted.taken === taken) return;
      plotted = { samples, taken };
      const path = samples ? line(samples) : "";
      above?.setAttribute("d", path);
      below?.setAttribute("d", area(path));
      latest(column.text(row));
    },
  };
}

/** What can be done with a row: icons, each with its name for who does not see them. */
export function actionsPart<Row>(actionsOf: (row: Row) => readonly Action[]): Part<Row> {
  const element = cell("actions");
  let shown: Row | undefined;
  return {
    element,
    show: (row) => {
      if (row === shown) return;
      shown = row;
      const actions = actionsOf(row);
      while (element.childElementCount > actions.length) element.lastElementChild?.remove();
      for (const [index, action] of actions.entries()) {
        const known = element.children[index];
        const control = known instanceof HTMLElement ? known : element.appendChild(controlOf(action));
        describe(control, action);
      }
    },
  };
}

function controlOf({ href }: Action): HTMLElement {
  const control = make(href === undefined ? "button" : "a", "button bare");
  // Tab gets to those of the active row alone.
  control.tabIndex = -1;
  if (control instanceof HTMLButtonElement) control.type = "button";
  control.append(drawing("icon", 20, 20, [""])[0]);
  return control;
}

function describe(control: HTMLElement, { title, icon, object, isOff, href }: Action): void {
  control.title = title;
  control.setAttribute("aria-label", `${title} ${object}`);
  control.firstElementChild?.firstElementChild?.setAttribute("d", ICONS[icon] ?? "");
  if (control instanceof HTMLButtonElement) control.disabled = isOff;
  if (control instanceof HTMLAnchorElement) control.href = href ?? "";
}

/** What a card says of a row beneath its title, in words that are understood without the titles of columns. */
function wordsOf<Row>(columns: readonly Column<Row>[], row: Row, title: string): string {
  const words = columns.flatMap((column) => {
    const text = column.text(row);
    if (text === "" || title.includes(text)) return [];
    return [column.measured || column.look === "number" ? `${column.title} ${text}` : text];
  });
  return words.join(" · ");
}

/** A whole row where there is no room for columns: its name and state, and beneath it what matters most. */
export function cardOf<Row>(
  titleOf: (row: Row) => string,
  columns: readonly Column<Row>[],
  lookOf?: (row: Row) => Look,
): Part<Row> {
  const element = make("div", "card");
  element.setAttribute("role", "gridcell");
  const [first, second] = [make("div", "first"), make("div", "second cut")];
  const title = make("strong", "cut");
  first.append(title);
  element.append(first, second);
  const [showTitle, showRest] = [text(title), text(second)];
  let showLook: ((look: Look) => void) | undefined;
  if (lookOf) {
    const state = make("span", "badge cut");
    first.append(state);
    showLook = badge(state);
  }
  const toned = columns.find((column) => column.tone);
  const mark = toned && toneOf(toned, first);
  const rest = columns.filter((column) => column !== toned);
  return {
    element,
    show: (row) => {
      const title = titleOf(row);
      showTitle(title);
      mark?.(row);
      if (lookOf) showLook?.(lookOf(row));
      showRest(wordsOf(rest, row, title));
    },
  };
}
