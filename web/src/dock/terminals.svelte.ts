/** The terminals that are open in this browser, as tabs. They are found again after a reload. */

import { recall, remember } from "../state/storage";
import { endSession, type Wanted } from "../terminal/contract";

/** More than anybody looks at. */
const LIMIT = 12;

export interface Tab {
  readonly id: string;
  readonly open: Wanted;
  readonly title: string;
  /** How it ended, once it has. */
  readonly ended: number | undefined;
}

const KINDS = ["shell", "node", "pod", "logs"];

function isTab(value: unknown): value is Tab {
  if (typeof value !== "object" || value === null || !("open" in value)) return false;
  const { open } = value;
  if (typeof open !== "object" || open === null || !("kind" in open)) return false;
  return "id" in value && typeof value.id === "string" && KINDS.includes(String(open.kind));
}

const isTabs = (value: unknown): value is Tab[] => Array.isArray(value) && value.every(isTab);

function titleOf(open: Wanted): string {
  switch (open.kind) {
    case "shell":
      return "Shell";
    case "node":
      return open.node?.split(".")[0] ?? "Node";
    case "pod":
      return open.pod ?? "Pod";
    case "logs":
      return `Logs: ${open.pod ?? ""}`;
  }
}

class Terminals {
  tabs = $state.raw<readonly Tab[]>(recall("terminals", isTabs) ?? []);
  active = $state(this.tabs[0]?.id ?? "");
  /** Whether they are shown beneath views that have no place for them. */
  isShown = $state(false);

  open(open: Wanted): void {
    const same = this.tabs.find((tab) => tab.ended === undefined && open.kind !== "shell" && isSame(tab.open, open));
    if (same) {
      this.show(same.id);
      return;
    }
    const id = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join(
      "",
    );
    const tab: Tab = { id, open, title: titleOf(open), ended: undefined };
    this.#set([...this.tabs.slice(-(LIMIT - 1)), tab]);
    this.show(id);
  }

  show(id: string): void {
    this.active = id;
    this.isShown = true;
  }

  close(id: string): void {
    const index = this.tabs.findIndex((tab) => tab.id === id);
    const { open, ended } = this.tabs[index] ?? {};
    // A server that cannot be told ends it by itself, some minutes after it was left.
    if (open?.session && ended === undefined)
      void endSession({ ...open, session: open.session }).catch(() => undefined);
    const rest = this.tabs.filter((tab) => tab.id !== id);
    this.#set(rest);
    if (this.active === id) this.active = (rest[index] ?? rest[index - 1])?.id ?? "";
    if (rest.length === 0) this.isShown = false;
  }

  rename(id: string, title: string): void {
    this.#change(id, { title: title.slice(0, 60) });
  }

  /** The server has named the terminal: by that it is found again. */
  named(id: string, session: string): void {
    this.#set(this.tabs.map((tab) => (tab.id === id ? { ...tab, open: { ...tab.open, session } } : tab)));
  }

  ended(id: string, code: number): void {
    this.#change(id, { ended: code });
  }

  #change(id: string, change: Partial<Tab>): void {
    this.#set(this.tabs.map((tab) => (tab.id === id ? { ...tab, ...change } : tab)));
  }

  #set(tabs: readonly Tab[]): void {
    this.tabs = tabs;
    remember(
      "terminals",
      tabs.filter((tab) => tab.ended === undefined),
    );
  }
}

function isSame(left: Wanted, right: Wanted): boolean {
  const keys = ["kind", "node", "cluster", "namespace", "pod", "container"] as const;
  return keys.every((key) => left[key] === right[key]);
}

export const terminals = new Terminals();
