/** Small plots, as paths: the latest sample at the right, each before it a step to the left. */

/** The size of a plot, in tenths of a pixel: whole numbers are written faster than those with a point. */
export const WIDTH = 560;
export const HEIGHT = 180;
/** What the line needs to be seen whole, above and below. */
const ABOVE = 20;
const BELOW = 10;

/** What is plotted: samples by how many older they are than the latest. */
export interface Samples {
  readonly length: number;
  before(age: number): number;
}

/** Fewer samples do not fill a plot. */
const FEW = 20;

/** The line through samples, as a path; empty where there are not two. */
export function line(samples: Samples): string {
  const { length } = samples;
  if (length < 2) return "";
  let most = Number.EPSILON;
  for (let age = 0; age < length; age += 1) most = Math.max(most, samples.before(age));
  const step = WIDTH / (Math.max(length, FEW) - 1);
  const scale = (HEIGHT - ABOVE - BELOW) / most;
  let path = "M";
  for (let age = 0; age < length; age += 1) {
    path += `${Math.round(WIDTH - age * step)} ${Math.round(HEIGHT - BELOW - samples.before(age) * scale)} `;
  }
  return path;
}

/** What is below a line. */
export const area = (line: string): string => (line === "" ? "" : `${line}V${HEIGHT}H${WIDTH}z`);
