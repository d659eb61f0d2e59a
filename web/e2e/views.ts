/** The views of the console, by their paths. */

import { GROUPS } from "../src/state/place";

export const VIEWS: readonly string[] = [
  ...GROUPS.flatMap((group) => group.items.map((item) => item.view)),
  "clusters/alex",
  "clusters/alex/ports",
];
