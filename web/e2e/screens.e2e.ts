/** Pictures of every view and state, in both themes and several widths, for eyes; and what a browser and axe complain of on the way. */

import { mkdirSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Browser, Page } from "playwright-core";
import { violations } from "./axe";
import { connected, launch, open } from "./browser";
import { example, FakeServer } from "./fake/server";
import { HOME, type RowKind } from "./fake/world";
import { VIEWS } from "./views";

const SIZES = [
  [360, 740],
  [1280, 800],
  [3840, 2160],
] as const;
/** Wider windows have nothing that these do not. */
const AXE_WIDTHS: readonly number[] = [360, 1280];
const only = process.env["QBO_SCREENS"]?.split(",");
const directory = process.env["QBO_SCREENSHOTS"] ?? "screenshots";

let server: FakeServer;
let browser: Browser;
beforeAll(async () => {
  mkdirSync(directory, { recursive: true });
  server = await FakeServer.start(example);
  browser = await launch();
});
afterAll(async () => {
  await browser.close();
  await server.stop();
});

/** What stands out of the window at its right, and cannot be scrolled to. */
async function overflowing(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const isReached = (element: Element): boolean => {
      for (let above = element.parentElement; above && above !== document.body; above = above.parentElement) {
        const { overflowX, textOverflow } = getComputedStyle(above);
        if (overflowX === "auto" || overflowX === "scroll" || textOverflow === "ellipsis") return true;
      }
      return false;
    };
    return Array.from(document.querySelectorAll("body *"))
      .filter((element) => element.getBoundingClientRect().right > innerWidth + 1 && !isReached(element))
      .map((element) => element.outerHTML.slice(0, 160));
  });
}

/** What others do meanwhile, so that there are messages. */
function chatter({ world }: FakeServer): void {
  for (const line of ["get nodes alex", "test host", "delete node nobody"]) world.run(line, "", HOME);
  world.mutate(3, "Pending");
  world.mutate(3, "Running");
}

for (const theme of ["dark", "light"] as const) {
  for (const [width, height] of SIZES) {
    for (const view of VIEWS) {
      const name = `${view.replaceAll("/", "-")}-${theme}-${width}`;
      test.skipIf(only && !only.some((part) => name.includes(part)))(name, async () => {
        const { page, troubles } = await open(browser, `${server.address}/${view}`, { width, height, theme });
        await connected(page);
        await page.waitForFunction(() => document.querySelector("[aria-busy=true]") === null);
        chatter(server);
        await page.waitForTimeout(250);
        await page.screenshot({ path: `${directory}/${name}.png` });
        const outside = await overflowing(page);
        const violated = AXE_WIDTHS.includes(width) ? await violations(page) : [];
        await page.context().close();
        expect(troubles).toEqual([]);
        expect(outside).toEqual([]);
        expect(violated).toEqual([]);
      });
    }
  }
}

/** What a shell shows, with every colour that programs have. */
const SHELL = [
  "\u001b[32mqbo@cloud\u001b[0m:\u001b[34m~\u001b[0m$ kubectl get nodes",
  "NAME                         STATUS   ROLES           AGE   VERSION",
  "control-035e2982.localhost   Ready    control-plane   5m    v1.37.2",
  "\u001b[32mqbo@cloud\u001b[0m:\u001b[34m~\u001b[0m$ helm version; see https://example.com/docs",
  ...[0, 1].map((bright) =>
    [1, 2, 3, 4, 5, 6, 7, 0]
      .map((colour) => `\u001b[${bright * 60 + 30 + colour}mcolour ${colour}\u001b[0m`)
      .join("  "),
  ),
  "\u001b[32mqbo@cloud\u001b[0m:\u001b[34m~\u001b[0m$ ",
].join("\r\n");

const field = (page: Page) => page.getByRole("combobox", { name: "Command" });

/** What is not there to begin with. */
const STATES: readonly {
  name: string;
  view: string;
  /** What the server is like before the page is opened. */
  before?: (own: FakeServer) => void;
  act?: (page: Page, own: FakeServer) => Promise<unknown>;
}[] = [
  {
    name: "completion",
    view: "clusters",
    act: async (page) => {
      await field(page).fill("add cluster new -");
      await page.getByRole("option").first().waitFor();
    },
  },
  {
    name: "error",
    view: "clusters",
    act: async (page) => {
      await field(page).fill("get pots alex");
      await page.getByText("did you mean").waitFor();
    },
  },
  {
    name: "refused",
    view: "clusters",
    act: async (page) => {
      await field(page).fill("start cluster nobody");
      await page.keyboard.press("Enter");
      await page.getByText("there are: alex, prod").waitFor();
    },
  },
  {
    name: "progress",
    view: "clusters",
    act: async (page) => {
      await field(page).fill("add cluster slow -n 3");
      await page.keyboard.press("Enter");
      await page.locator("li.started").first().waitFor();
    },
  },
  {
    name: "progress-of-others",
    view: "clusters/slow",
    before: ({ world }) => world.cluster("slow", 0, 0, "creating"),
    act: async (page, own) => {
      await connected(page);
      own.world.run("add cluster slow -n 3", "", HOME);
      await page.locator("li.started").first().waitFor();
    },
  },
  {
    name: "confirm",
    view: "registries",
    act: async (page) => {
      await field(page).fill("delete cluster alex");
      await page.keyboard.press("Enter");
      await page.getByRole("dialog").waitFor();
    },
  },
  {
    name: "help",
    view: "pods",
    act: async (page) => {
      await page.locator("#main").focus();
      await page.keyboard.press("?");
      await page.getByRole("dialog").waitFor();
    },
  },
  {
    name: "kubeconfig",
    view: "clusters/alex",
    act: async (page) => {
      await page.getByRole("button", { name: "Kubeconfig" }).click();
      await page.getByText("apiVersion: v1").waitFor();
    },
  },
  { name: "empty", view: "clusters", before: empty },
  { name: "empty-console", view: "console", before: empty },
  { name: "empty-registries", view: "registries", before: empty },
  { name: "no-match", view: "pods?q=status:nothing" },
  { name: "no-cluster", view: "clusters/nobody" },
  { name: "no-view", view: "nonsense" },
  { name: "loading", view: "pods", before: ({ world }) => (world.mood = "silent") },
  { name: "loading-console", view: "console", before: ({ world }) => (world.mood = "silent") },
  {
    name: "failed",
    view: "pods",
    before: ({ world }) => (world.mood = "failing"),
    act: async (page) => page.getByText("Docker does not answer").waitFor(),
  },
  {
    name: "unreachable",
    view: "nodes",
    before: (own) => (own.isRefusing = true),
    act: async (page) => page.getByText("The server does not answer.").waitFor(),
  },
  {
    name: "gone",
    view: "nodes",
    act: async (page, own) => {
      await own.stop();
      await page.getByText("Disconnected.").waitFor();
    },
  },
  {
    name: "terminal",
    view: "nodes",
    act: async (page, own) => {
      own.terminals.greeting = SHELL;
      await page.locator("#main").focus();
      await page.keyboard.press("t");
      await page.locator(".xterm-rows").getByText("helm").first().waitFor();
    },
  },
  {
    name: "host",
    view: "messages",
    act: async (page) => {
      await field(page).fill("test host");
      await page.keyboard.press("Enter");
      await page.locator("[role=row][aria-rowindex='3']").click();
    },
  },
  {
    name: "inspector",
    view: "pods",
    act: async (page) => page.locator("[role=row][aria-rowindex='3']").click(),
  },
  {
    name: "list",
    view: "console",
    act: async (page) => page.getByRole("button", { name: "As a list" }).click(),
  },
  {
    name: "graph",
    view: "console",
    act: async (page) => page.getByRole("button", { name: "Maximise Graph" }).click(),
  },
  {
    name: "navigation",
    view: "pods",
    act: async (page) => {
      const menu = page.getByRole("button", { name: "Navigation" });
      if (await menu.isVisible()) await menu.click();
      else await page.getByRole("link", { name: "Services" }).focus();
    },
  },
];

function empty({ world }: FakeServer): void {
  for (const kind of Object.keys(world.rows) as RowKind[]) world.rows[kind] = [];
}

for (const theme of ["dark", "light"] as const) {
  for (const [width, height] of SIZES.slice(0, 2)) {
    for (const { name, view, before, act } of STATES) {
      const title = `state-${name}-${theme}-${width}`;
      test.skipIf(only && !only.some((part) => title.includes(part)))(title, async () => {
        const own = await FakeServer.start((world) => example(world));
        before?.(own);
        const { page } = await open(browser, `${own.address}/${view}`, { width, height, theme });
        if (!before) {
          await connected(page);
          await page.waitForFunction(() => document.querySelector("[aria-busy=true]") === null);
        }
        await act?.(page, own);
        await page.waitForTimeout(250);
        await page.screenshot({ path: `${directory}/${title}.png` });
        const outside = await overflowing(page);
        const violated = await violations(page);
        await page.context().close();
        if (name !== "gone") await own.stop();
        expect(outside).toEqual([]);
        expect(violated).toEqual([]);
      });
    }
  }
}
