import { expect, test } from "vitest";
import { Series } from "../mirror/usage";
import { area, line } from "./plot";

function series(...values: number[]): Series {
  const series = new Series();
  for (const value of values) series.add(value);
  return series;
}

test("a plot ends at the right, its greatest sample is at the top, and few do not fill it", () => {
  expect(line(series())).toBe("");
  expect(area(line(series(1)))).toBe("");
  expect(line(series(0, 10, 5))).toBe("M560 95 531 20 501 170 ");
  expect(area(line(series(0, 0)))).toBe("M560 170 531 170 V180H560z");
  expect(line(series(...Array(30).fill(1)))).toMatch(/^M560 20 .* 0 20 $/);
});
