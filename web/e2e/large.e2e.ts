/**
 * Ten thousand pods, fifty changes a second, and every other second what all of them use: no frame takes longer than it
 * may, in the table and with the graph beside it. A machine that is slow, or does other things too, is so at all it does:
 * how long a frame may take is told in what the same page needs to sort names.
 */

import { mkdirSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Browser, Page } from "playwright-core";
import { launch, open } from "./browser";
import { FakeServer } from "./fake/server";

const PODS = 10_000;
const CHANGES = 50;
const SECONDS = 10;
/** How often a page could sort as many names as there are pods in the time of its longest task. */
const LONGEST = 15;
/** How often it does to see how long that takes. */
const SORTS = 20;
/** How often all of that is measured, where a task took longer: what a machine does besides, it does not do every time. */
const ATTEMPTS = 3;

const directory = process.env["QBO_SCREENSHOTS"] ?? "screenshots";

let server: FakeServer;
let browser: Browser;
beforeAll(async () => {
  mkdirSync(directory, { recursive: true });
  server = await FakeServer.start((world) => {
    for (let cluster = 0; cluster < 10; cluster += 1) world.cluster(`cluster-${cluster}`, 9, PODS / 100);
  });
  browser = await launch();
});
afterAll(async () => {
  await browser.close();
  await server.stop();
});

interface Measured {
  /** The longest task of the page's thread in milliseconds: by the clock, and the time it had a processor for. */
  longest: number;
  computed: number;
  framesPerSecond: number;
}

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds: by the clock, and of the processor. */
  readonly dur?: number;
  readonly tdur?: number;
  readonly args: { readonly name?: string };
}

/** The tasks of the page's thread, as the browser traced them. */
function tasks(trace: Buffer): TraceEvent[] {
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] };
  const threads = traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain");
  const isOf = (event: TraceEvent): boolean => threads.some(({ pid, tid }) => pid === event.pid && tid === event.tid);
  return traceEvents.filter((event) => event.name.endsWith("RunTask") && event.dur !== undefined && isOf(event));
}

/** The longest of the tasks in milliseconds, by the clock or of the processor. */
function longest(found: readonly TraceEvent[], of: (event: TraceEvent) => number | undefined): number {
  if (found.length === 0) throw new Error("the browser traced no task");
  return Math.max(...found.map((event) => of(event) ?? 0)) / 1000;
}

const computed = ({ tdur, dur }: TraceEvent): number | undefined => tdur ?? dur;

/**
 * How many milliseconds of the processor the page takes to sort as many names as there are pods. It sorts in a task of its
 * own and answers in a later one: of a task that has not ended when tracing does, the browser tells nothing.
 */
async function sorting(page: Page): Promise<number> {
  await browser.startTracing(page, { categories: ["toplevel"] });
  const byClock = await page.evaluate(
    ([names, sorts]) =>
      new Promise<number>((resolve) => {
        setTimeout(() => {
          const started = performance.now();
          for (let sort = 0; sort < sorts; sort += 1)
            Array.from({ length: names }, (_, name) => `pod-${Math.imul(name, 2654435761)}`).sort();
          const took = performance.now() - started;
          setTimeout(() => resolve(took));
        });
      }),
    [PODS, SORTS] as const,
  );
  const found = tasks(await browser.stopTracing());
  // The clock of a page is coarse, and may stand a little behind the trace's.
  if (longest(found, ({ dur }) => dur) < byClock * 0.9)
    throw new Error("the browser did not trace the task that sorts");
  return longest(found, computed) / SORTS;
}

/** What the page's thread does while changes come: a frame waits for the longest of it. */
async function measure(page: Page, act: (step: number) => Promise<void>): Promise<Measured> {
  await browser.startTracing(page, { categories: ["toplevel"] });
  const frames = page.evaluate(
    (seconds) =>
      new Promise<number>((resolve) => {
        const end = performance.now() + seconds * 1000;
        let count = 0;
        const next = (now: number): void => {
          count += 1;
          if (now < end) requestAnimationFrame(next);
          else resolve(count);
        };
        requestAnimationFrame(next);
      }),
    SECONDS,
  );
  const end = performance.now() + SECONDS * 1000;
  let index = 0;
  let step = 0;
  while (performance.now() < end) {
    const started = performance.now();
    for (let change = 0; change < CHANGES / 10; change += 1) {
      index = (index + 3_571) % PODS;
      // What is in sight of a sorted table changes too.
      if (change === 0) server.world.replace(index);
      else server.world.mutate(index, index % 2 === 0 ? "Running" : "Pending");
    }
    await act((step += 1));
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, 100 - (performance.now() - started))));
  }
  const framesPerSecond = (await frames) / SECONDS;
  const found = tasks(await browser.stopTracing());
  return { longest: longest(found, ({ dur }) => dur), computed: longest(found, computed), framesPerSecond };
}

/** What is looked at, and what somebody does there meanwhile. */
const CASES: readonly { name: string; view: string; act: (page: Page, step: number) => Promise<void> }[] = [
  { name: "pods", view: "pods", act: async () => undefined },
  { name: "pods, scrolled", view: "pods", act: async (page) => page.mouse.wheel(0, 400) },
  { name: "pods, the busiest first", view: "pods?sort=-cpu", act: async () => undefined },
  { name: "console", view: "console", act: async () => undefined },
  {
    name: "graph, zoomed and moved",
    view: "console",
    act: async (page, step) => page.mouse.wheel(0, step % 20 < 10 ? -300 : 300),
  },
];

for (const { name, view, act } of CASES) {
  test(`no long frame: ${name}`, async () => {
    const { page, troubles } = await open(browser, `${server.address}/${view}`, { width: 1600, height: 1000 });
    await page.getByRole("link", { name: /^Pods/ }).filter({ hasText: "10,000" }).waitFor();
    await page.waitForTimeout(2_000);
    if (name.startsWith("graph")) await page.getByRole("button", { name: "Maximise Graph" }).click();
    await page.mouse.move(900, 500);
    await page.screenshot({ path: `${directory}/large-${name.replaceAll(/\W+/g, "-")}.png` });
    let ratio = Infinity;
    for (let attempt = 1; attempt <= ATTEMPTS && ratio >= LONGEST; attempt += 1) {
      const before = await sorting(page);
      const { longest, computed, framesPerSecond } = await measure(page, (step) => act(page, step));
      const sort = Math.max(before, await sorting(page));
      console.log(
        `${name}: ${PODS} pods, ${CHANGES} changes/s: longest task ${longest.toFixed(1)} ms by the clock, ` +
          `${computed.toFixed(1)} ms of the processor, which sorts all names in ${sort.toFixed(1)} ms; ${framesPerSecond.toFixed(0)} frames/s`,
      );
      // On a machine that does other things too, the clock tells of those.
      ratio = computed / sort;
    }
    expect(troubles).toEqual([]);
    expect(ratio).toBeLessThan(LONGEST);
    await page.context().close();
  });
}
