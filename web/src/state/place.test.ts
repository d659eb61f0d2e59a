import { expect, test } from "vitest";
import { at, parse, print } from "./place";

test("places and their addresses are the same in both directions", () => {
  for (const place of [
    at("console"),
    at("nodes", { filter: "state:ready -alex", sort: "-name", open: "c1/9 x" }),
    at("clusters", { name: "a b/ü?" }),
    at("clusters", { name: "alex", part: "ports", sort: "-host" }),
  ]) {
    const url = new URL(print(place), "http://host");
    expect(parse(url.pathname, url.search)).toEqual(place);
  }
});

test("what is no place is nowhere", () => {
  expect(parse("/", "").view).toBe("console");
  expect(parse("/nodes/", "").view).toBe("nodes");
  for (const path of ["/nonsense", "/nodes/x", "/clusters/a/b", "/clusters/a/ports/b", "/nodes/a/pods", "//x"])
    expect(parse(path, "").view, path).toBe("nowhere");
  expect(parse("/clusters/%E0%A4%A", "").name).toBe("%E0%A4%A");
});
