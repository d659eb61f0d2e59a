/** No view has what axe calls a violation of WCAG 2.2 AA, in either theme, wide or narrow. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Browser, Page } from "playwright-core";
import type { AxeResults } from "axe-core";
import { launch, open } from "./browser";
import { example, FakeServer } from "./fake/server";
import { VIEWS } from "./views";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

let server: FakeServer;
let browser: Browser;
beforeAll(async () => {
  server = await FakeServer.start(example);
  browser = await launch();
});
afterAll(async () => {
  await browser.close();
  await server.stop();
});

/** What axe finds, each with where. */
async function violations(page: Page): Promise<string[]> {
  // The page's policy lets no script in; playwright evaluates beside it.
  await page.evaluate(AXE);
  const found = await page.evaluate(async (tags): Promise<AxeResults> => {
    const { axe } = window as unknown as { axe: { run(options: object): Promise<AxeResults> } };
    return axe.run({ runOnly: { type: "tag", values: tags } });
  }, TAGS);
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary ?? ""}`),
  );
}

for (const theme of ["dark", "light"] as const) {
  for (const width of [1280, 360]) {
    for (const view of [...VIEWS, "nonsense"]) {
      test(`${view}, ${theme}, ${width}`, async () => {
        const { page } = await open(browser, `${server.address}/${view}`, { theme, width });
        await page.waitForSelector("main");
        await page.waitForFunction(() => document.querySelector("[aria-busy=true]") === null);
        expect(await violations(page)).toEqual([]);
        await page.context().close();
      });
    }
  }

  test(`without a server, ${theme}`, async () => {
    const own = await FakeServer.start(example);
    const { page } = await open(browser, `${own.address}/pods`, { theme });
    await page.locator("[role=row][aria-rowindex='3']").waitFor();
    await own.stop();
    await page.getByText("Disconnected.").waitFor();
    expect(await violations(page)).toEqual([]);
    await page.context().close();
  });

  test(`what opens, ${theme}`, async () => {
    const { page } = await open(browser, `${server.address}/pods`, { theme });
    await page.locator("[role=row][aria-rowindex='3']").click();
    await page.getByRole("complementary").waitFor();
    expect(await violations(page), "a row").toEqual([]);
    await page.keyboard.press("/");
    await page.keyboard.type("delete cluster ");
    await page.getByRole("option").first().waitFor();
    expect(await violations(page), "completions").toEqual([]);
    await page.keyboard.type("alex");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    expect(await violations(page), "confirmation").toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByRole("combobox", { name: "Command" }).fill("add cluster slow");
    await page.keyboard.press("Enter");
    await page.getByRole("progressbar").waitFor();
    expect(await violations(page), "progress").toEqual([]);
    await page.goto(`${server.address}/console`);
    await page.getByRole("button", { name: "As a list" }).click();
    expect(await violations(page), "the graph as a list").toEqual([]);
    await page.locator("#main").focus();
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    expect(await violations(page), "help").toEqual([]);
    await page.context().close();
    server.world.run("delete cluster slow", "", "");
  });
}
