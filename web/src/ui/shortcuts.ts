/** Keys that work wherever nothing is typed. Single keys can be turned off (WCAG 2.1.4). */

import type { View } from "../state/place";
import { recall, remember } from "../state/storage";

export type Shortcut =
  { readonly do: "command" | "help" | "filter" | "dock" } | { readonly do: "go"; readonly view: View };

/** After `g`. */
export const PLACES: readonly { readonly key: string; readonly view: View; readonly title: string }[] = [
  { key: "h", view: "console", title: "Console" },
  { key: "m", view: "messages", title: "Messages" },
  { key: "l", view: "clients", title: "Clients" },
  { key: "v", view: "version", title: "Version" },
  { key: "c", view: "clusters", title: "Clusters" },
  { key: "n", view: "nodes", title: "Nodes" },
  { key: "p", view: "pods", title: "Pods" },
  { key: "s", view: "services", title: "Services" },
  { key: "w", view: "networks", title: "Networks" },
  { key: "i", view: "images", title: "Images" },
  { key: "r", view: "registries", title: "Registries" },
];

const isBoolean = (value: unknown): value is boolean => typeof value === "boolean";

export function areOn(): boolean {
  return recall("shortcuts", isBoolean) ?? true;
}

export function turn(on: boolean): void {
  remember("shortcuts", on);
}

/** What a key means, after the one before it; and what the next is to know of this one. */
export function shortcut(event: KeyboardEvent, pending: string): { found?: Shortcut; rest: string } {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k")
    return { found: { do: "command" }, rest: "" };
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || !areOn()) return { rest: "" };
  if (pending === "g") {
    const place = PLACES.find((place) => place.key === event.key);
    if (place) return { found: { do: "go", view: place.view }, rest: "" };
  }
  switch (event.key) {
    case "/":
      return { found: { do: "command" }, rest: "" };
    case "?":
      return { found: { do: "help" }, rest: "" };
    case "f":
      return { found: { do: "filter" }, rest: "" };
    case "t":
      return { found: { do: "dock" }, rest: "" };
    case "g":
      return { rest: "g" };
    default:
      return { rest: "" };
  }
}

/** Whether keys are text where they were pressed: fields, and terminals. */
function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof Element && target.closest("input, textarea, select, dialog, [contenteditable], .xterm") !== null
  );
}
