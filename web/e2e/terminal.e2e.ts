/** What a terminal in a page does with colours, the clipboard, links and its size, before programs that are not there. */

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Browser, Page } from "playwright-core";
import { launch, open } from "./browser";
import { example, FakeServer } from "./fake/server";

let server: FakeServer;
let browser: Browser;
let page: Page;
let troubles: string[];
beforeAll(async () => {
  browser = await launch();
});
afterAll(async () => browser.close());
beforeEach(async () => {
  server = await FakeServer.start(example);
  ({ page, troubles } = await open(browser, `${server.address}/nodes`));
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
});
afterEach(async () => {
  expect(troubles).toEqual([]);
  await page.context().close();
  await server.stop();
});

const screen = () => page.locator(".xterm-rows").filter({ visible: true });
const clipboard = async (): Promise<string> => page.evaluate(() => navigator.clipboard.readText());

/** Opens a shell that says this first. */
async function shell(greeting: string): Promise<void> {
  server.terminals.greeting = greeting;
  await page.locator("#main").focus();
  await page.keyboard.press("t");
  await page.locator(".xterm-screen").click({ position: { x: 300, y: 60 } });
  await expect
    .poll(async () => screen().innerText())
    .toContain(greeting.replace(/\u001b\[[?0-9]*[a-z]/g, "").slice(0, 8));
}

/** Where on the page a text of the terminal is. */
async function place(text: string): Promise<{ x: number; y: number }> {
  return screen().evaluate((rows, text) => {
    const walker = document.createTreeWalker(rows, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const start = node.textContent?.indexOf(text) ?? -1;
      if (start < 0) continue;
      const range = document.createRange();
      range.setStart(node, start);
      range.setEnd(node, start + text.length);
      const { x, y, width, height } = range.getBoundingClientRect();
      return { x: x + width / 2, y: y + height / 2 };
    }
    throw new Error(`the terminal does not show ${text}`);
  }, text);
}

test("a terminal has the colours of the page's theme, also when that changes", async () => {
  await shell("colours \u001b[32mgreen");
  const colours = async (): Promise<string[]> =>
    page.evaluate(() => {
      const of = (selector: string): CSSStyleDeclaration =>
        getComputedStyle(document.querySelector(selector) ?? document.body);
      return [of(".xterm-scrollable-element").backgroundColor, of(".xterm-fg-2").color];
    });
  expect(await colours()).toEqual(["rgb(12, 16, 20)", "rgb(98, 196, 139)"]);
  await page.getByRole("button", { name: "Theme: as the system" }).click();
  await expect.poll(colours).toEqual(["rgb(235, 237, 234)", "rgb(28, 107, 63)"]);
});

test("what is selected is copied, and Ctrl+C stays the program's", async () => {
  await shell("take this-word here");
  const { x, y } = await place("this-word");
  await page.mouse.dblclick(x, y);
  await page.keyboard.press("Control+Shift+C");
  await expect.poll(clipboard).toBe("this-word");
  expect(server.terminals.typed).toBe("");

  // Over several words, by dragging.
  const [from, to] = [await place("take"), await place("here")];
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(to.x, to.y, { steps: 5 });
  await page.mouse.up();
  await page.keyboard.press("Control+Shift+C");
  await expect.poll(clipboard).toMatch(/^[ake]+ this-word h/);

  await page.keyboard.press("Control+C");
  await expect.poll(() => server.terminals.typed).toBe("\u0003");
});

test("what is pasted is typed, in brackets where the program asks for them, and cannot end them", async () => {
  await shell("plain");
  const paste = async (text: string): Promise<string> => {
    server.terminals.typed = "";
    await page.evaluate(async (text) => navigator.clipboard.writeText(text), text);
    await page.keyboard.press("Control+Shift+V");
    await expect.poll(() => server.terminals.typed).not.toBe("");
    return server.terminals.typed;
  };
  expect(await paste("one\ntwo ä")).toBe("one\rtwo ä");
  server.terminals.write("\u001b[?2004h bracketed");
  await expect.poll(async () => screen().innerText()).toContain("bracketed");
  expect(await paste("one\ntwo")).toBe("\u001b[200~one\rtwo\u001b[201~");
  expect(await paste("a\u001b[201~b")).toBe("\u001b[200~a[201~b\u001b[201~");
});

test("a link opens beside the page, which it does not get to know", async () => {
  await shell("see https://example.com/docs?a=1 there");
  await page.context().route("https://example.com/**", (route) => route.fulfill({ body: "docs" }));
  const { x, y } = await place("example.com");
  const opened = page.context().waitForEvent("page");
  await page.mouse.move(x, y);
  await page.mouse.move(x + 1, y);
  await page.mouse.click(x + 1, y);
  const beside = await opened;
  await beside.waitForURL("https://example.com/docs?a=1");
  expect(await beside.evaluate(() => window.opener === null)).toBe(true);
});

test("the program is told of the window's size; a reload finds the session again", async () => {
  await shell("sized");
  const { columns } = server.terminals.sizes.at(-1) ?? { columns: 0 };
  await page.setViewportSize({ width: 900, height: 800 });
  await expect.poll(() => server.terminals.sizes.at(-1)?.columns).toBeLessThan(columns);
  const remembered = await page.evaluate(() => localStorage.getItem("qbo.terminals"));
  await page.reload();
  await page.locator("#main").focus();
  await page.keyboard.press("t");
  await expect.poll(() => server.terminals.opened.length).toBe(2);
  expect(remembered).toContain(server.terminals.opened[1]?.session);
});
