/** The shapes that tell states apart without their colours. */

import type { Shape } from "./state";

/** Drawn on 12 by 12: filled, or as a line of some width where there is one. */
export const SHAPES: Readonly<
  Record<Shape, { readonly path: string; readonly line?: number; readonly dashes?: string }>
> = {
  disc: { path: "M6 1.5a4.5 4.5 0 0 1 0 9 4.5 4.5 0 0 1 0-9z" },
  half: {
    path: "M6 1a5 5 0 0 1 0 10A5 5 0 0 1 6 1zM6 2.6a3.4 3.4 0 0 0 0 6.8z",
  },
  triangle: { path: "M6 1 11.4 10.6H.6z" },
  cross: { path: "M2 2l8 8M10 2 2 10", line: 2.4 },
  square: { path: "M2.5 2h7a.5.5 0 0 1 .5.5v7a.5.5 0 0 1-.5.5h-7a.5.5 0 0 1-.5-.5v-7a.5.5 0 0 1 .5-.5z", line: 1.6 },
  ring: { path: "M6 1.8a4.2 4.2 0 0 1 0 8.4 4.2 4.2 0 0 1 0-8.4z", line: 1.6, dashes: "2.6 1.8" },
  question: { path: "M3.6 4.2A2.4 2.4 0 1 1 6.7 6.4C6.2 6.6 6 6.9 6 7.4M6 9.9v.2", line: 1.6 },
};
