/** Pictures of every view, in both themes and four widths, for eyes; and what a browser complains of on the way. */

import { mkdirSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Browser, Page } from "playwright-core";
import { launch, open } from "./browser";
import { example, FakeServer } from "./fake/server";
import { VIEWS } from "./views";

const SIZES = [
  [360, 740],
  [390, 844],
  [1280, 800],
  [2560, 1440],
] as const;
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

for (const theme of ["dark", "light"] as const) {
  for (const [width, height] of SIZES) {
    for (const view of VIEWS) {
      const name = `${view.replaceAll("/", "-")}-${theme}-${width}`;
      test.skipIf(only && !only.some((part) => name.includes(part)))(name, async () => {
        const { page, troubles } = await open(browser, `${server.address}/${view}`, { width, height, theme });
        await page.waitForSelector("main");
        await page.waitForFunction(() => document.querySelector("[aria-busy=true]") === null);
        await page.waitForTimeout(250);
        await page.screenshot({ path: `${directory}/${name}.png` });
        const outside = await overflowing(page);
        await page.context().close();
        expect(troubles).toEqual([]);
        expect(outside).toEqual([]);
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

/** What is not there to begin with. */
const STATES: readonly {
  name: string;
  view: string;
  width?: number;
  act: (page: Page, own: FakeServer) => Promise<unknown>;
}[] = [
  {
    name: "completion",
    view: "clusters",
    act: async (page) => {
      await page.getByRole("combobox", { name: "Command" }).fill("add cluster new -");
      await page.getByRole("option").first().waitFor();
    },
  },
  {
    name: "error",
    view: "clusters",
    act: async (page) => {
      await page.getByRole("combobox", { name: "Command" }).fill("get pots alex");
      await page.getByText("did you mean").waitFor();
    },
  },
  {
    name: "progress",
    view: "clusters",
    act: async (page) => {
      await page.getByRole("combobox", { name: "Command" }).fill("add cluster slow -n 3");
      await page.keyboard.press("Enter");
      await page.getByText("• ready").first().or(page.locator("li.started").first()).waitFor();
    },
  },
  {
    name: "confirm",
    view: "registries",
    act: async (page) => {
      await page.getByRole("button", { name: "Delete localhost:5000" }).click();
      await page.getByRole("dialog").waitFor();
    },
  },
  {
    name: "empty",
    view: "registries",
    act: async (page, own) => {
      for (const { name } of own.world.rows.registries) own.world.run(`delete registry ${name}`, "", "");
      await page.getByText("registries of the internet alone").waitFor();
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
      await page.getByRole("combobox", { name: "Command" }).fill("test host");
      await page.keyboard.press("Enter");
      await page.locator("[role=row][aria-rowindex='3']").click();
    },
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
    name: "navigation",
    view: "pods",
    width: 390,
    act: async (page) => page.getByRole("button", { name: "Navigation" }).click(),
  },
  {
    name: "inspector",
    view: "pods",
    width: 390,
    act: async (page) => page.locator("[role=row][aria-rowindex='3']").click(),
  },
];

for (const theme of ["dark", "light"] as const) {
  for (const { name, view, width, act } of STATES) {
    const title = `state-${name}-${theme}`;
    test.skipIf(only && !only.some((part) => title.includes(part)))(title, async () => {
      const own = await FakeServer.start(example);
      const { page } = await open(browser, `${own.address}/${view}`, { width: width ?? 1280, theme });
      await page.waitForFunction(() => document.querySelector("[aria-busy=true]") === null);
      await act(page, own);
      await page.waitForTimeout(250);
      await page.screenshot({ path: `${directory}/${title}.png` });
      await page.context().close();
      if (name !== "gone") await own.stop();
    });
  }
}
