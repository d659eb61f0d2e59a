import { expect, test } from "vitest";
import { Watch } from "./watch";

function setup() {
  const said: string[] = [];
  let due: (() => void) | undefined;
  const watch = new Watch(
    () => said.push("ask"),
    () => said.push("leave"),
    (_, call) => {
      due = call;
      return () => (due = undefined);
    },
  );
  return { watch, said, pass: () => due?.() };
}

test("it is asked for while somebody looks, and given up a while later", () => {
  const { watch, said, pass } = setup();
  watch.connected(true);
  expect(said).toEqual([]);
  const [first, second] = [watch.begin(), watch.begin()];
  first();
  pass();
  expect(said).toEqual(["ask"]);
  second();
  // Somebody looks again before it is given up.
  const third = watch.begin();
  pass();
  expect(said).toEqual(["ask"]);
  third();
  pass();
  expect(said).toEqual(["ask", "leave"]);
  watch.begin();
  expect(said).toEqual(["ask", "leave", "ask"]);
});

test("a page that nobody sees looks at nothing", () => {
  const { watch, said, pass } = setup();
  watch.connected(true);
  watch.begin();
  watch.visible(false);
  pass();
  watch.visible(true);
  expect(said).toEqual(["ask", "leave", "ask"]);
});

test("it is asked for over each connection, and not left over one that is gone", () => {
  const { watch, said, pass } = setup();
  const end = watch.begin();
  watch.connected(true);
  watch.connected(false);
  watch.connected(true);
  expect(said).toEqual(["ask", "ask"]);
  end();
  watch.connected(false);
  pass();
  expect(said).toEqual(["ask", "ask"]);
});
