/** What a terminal in a page does with colours, the clipboard, links and its size, before programs that are not there. */

import { beforeEach, expect, test } from "vitest";
import { staged } from "./stage";

const stage = staged("nodes");
beforeEach(async () => stage.page.context().grantPermissions(["clipboard-read", "clipboard-write"]));

const screen = () => stage.page.locator(".xterm-rows").filter({ visible: true });
const clipboard = async (): Promise<string> => stage.page.evaluate(() => navigator.clipboard.readText());

/** Opens a shell that says this first. */
async function shell(greeting: string): Promise<void> {
  stage.server.terminals.greeting = greeting;
  await stage.page.locator("#main").focus();
  await stage.page.keyboard.press("t");
  await stage.page.locator(".xterm-screen").click({ position: { x: 300, y: 60 } });
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
    stage.page.evaluate(() => {
      const of = (selector: string): CSSStyleDeclaration =>
        getComputedStyle(document.querySelector(selector) ?? document.body);
      return [of(".xterm-scrollable-element").backgroundColor, of(".xterm-fg-2").color];
    });
  expect(await colours()).toEqual(["rgb(12, 16, 20)", "rgb(98, 196, 139)"]);
  await stage.page.getByRole("button", { name: "Theme: as the system" }).click();
  await expect.poll(colours).toEqual(["rgb(235, 237, 234)", "rgb(28, 107, 63)"]);
});

test("what is selected is copied, and Ctrl+C stays the program's", async () => {
  await shell("take this-word here");
  const { x, y } = await place("this-word");
  await stage.page.mouse.dblclick(x, y);
  await stage.page.keyboard.press("Control+Shift+C");
  await expect.poll(clipboard).toBe("this-word");
  expect(stage.server.terminals.typed).toBe("");

  // Over several words, by dragging.
  const [from, to] = [await place("take"), await place("here")];
  await stage.page.mouse.move(from.x, from.y);
  await stage.page.mouse.down();
  await stage.page.mouse.move(to.x, to.y, { steps: 5 });
  await stage.page.mouse.up();
  await stage.page.keyboard.press("Control+Shift+C");
  await expect.poll(clipboard).toMatch(/^[ake]+ this-word h/);

  await stage.page.keyboard.press("Control+C");
  await expect.poll(() => stage.server.terminals.typed).toBe("\u0003");
});

test("what is pasted is typed, in brackets where the program asks for them, and cannot end them", async () => {
  await shell("plain");
  const paste = async (text: string, typed: string): Promise<void> => {
    stage.server.terminals.typed = "";
    await stage.page.evaluate(async (text) => navigator.clipboard.writeText(text), text);
    await stage.page.keyboard.press("Control+Shift+V");
    await expect.poll(() => stage.server.terminals.typed).toBe(typed);
  };
  await paste("one\ntwo ä", "one\rtwo ä");
  stage.server.terminals.write("\u001b[?2004h bracketed");
  await expect.poll(async () => screen().innerText()).toContain("bracketed");
  await paste("one\ntwo", "\u001b[200~one\rtwo\u001b[201~");
  await paste("a\u001b[201~b", "\u001b[200~a[201~b\u001b[201~");
});

test("a link opens beside the page, which it does not get to know", async () => {
  await shell("see https://example.com/docs?a=1 there");
  await stage.page.context().route("https://example.com/**", (route) => route.fulfill({ body: "docs" }));
  const { x, y } = await place("example.com");
  const opened = stage.page.context().waitForEvent("page");
  await stage.page.mouse.move(x, y);
  await stage.page.mouse.move(x + 1, y);
  await stage.page.mouse.click(x + 1, y);
  const beside = await opened;
  await beside.waitForURL("https://example.com/docs?a=1");
  expect(await beside.evaluate(() => window.opener === null)).toBe(true);
});

test("the program is told of the window's size; a reload finds the session again", async () => {
  await shell("sized");
  const { columns } = stage.server.terminals.sizes.at(-1) ?? { columns: 0 };
  await stage.page.setViewportSize({ width: 900, height: 800 });
  await expect.poll(() => stage.server.terminals.sizes.at(-1)?.columns).toBeLessThan(columns);
  const remembered = await stage.page.evaluate(() => localStorage.getItem("qbo.terminals"));
  await stage.page.reload();
  await stage.page.locator("#main").focus();
  await stage.page.keyboard.press("t");
  await expect.poll(() => stage.server.terminals.opened.length).toBe(2);
  expect(remembered).toContain(stage.server.terminals.opened[1]?.session);
});
