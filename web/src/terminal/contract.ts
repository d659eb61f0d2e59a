/** The boundary to the terminal: what is opened, and what a terminal is told and tells. It is a part of its own, fetched when needed. */

import type { Component } from "svelte";
import type { OpenRequest } from "$contract/qbo";

/** What a terminal shows; the size of its window is told beside it. */
export type Wanted = Readonly<Omit<OpenRequest, "columns" | "rows">>;

export interface TerminalProps {
  open: Wanted;
  theme: "dark" | "light";
  onTitle: (title: string) => void;
  /** The server has opened it, as a session of this id. */
  onSession?: (session: string) => void;
  onExit: (code: number) => void;
}

export type Terminal = Component<TerminalProps>;

/** Fetches the terminal. */
export async function loadTerminal(): Promise<Terminal> {
  return (await import("./Terminal.svelte")).default;
}

/** Ends the session of a terminal that nobody looks at any more. */
export async function endSession(open: Wanted & { readonly session: string }): Promise<void> {
  const { end, surroundings } = await import("./channel");
  end(surroundings(), open);
}
