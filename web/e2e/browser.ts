/** Debian's Chromium, driven by playwright. */

import { chromium, type Browser, type Page } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** What a page says that was cut off: an interface of the host came or went meanwhile, as with each container. */
export const CUT_OFF = "net::ERR_NETWORK_CHANGED";
/** How often a page is loaded that is cut off. */
const ATTEMPTS = 5;
/** For whatever is done in a page, on a machine that does other things too. */
const LIMIT = 120_000;

export async function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env["QBO_CHROMIUM"] ?? "/usr/bin/chromium",
    headless: true,
    args: FLAGS,
  });
}

export interface Shown {
  readonly width: number;
  readonly height: number;
  readonly theme: "dark" | "light";
}

/** Waits until a page is told what happens: it knows by then who is logged in. */
export async function connected(page: Page): Promise<void> {
  await page.locator(".who", { hasNotText: "…" }).waitFor({ state: "attached" });
}

/** Loads a page, again where it was cut off; what goes wrong in it is in `troubles`. */
export async function load(troubles: string[], once: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const before = troubles.length;
    const failed = await once().then(
      () => "",
      (error: unknown) => String(error),
    );
    // What the page could not load, or the page itself.
    const isCut = [...troubles.slice(before), failed].some((trouble) => trouble.includes(CUT_OFF));
    if (!isCut || attempt === ATTEMPTS) {
      if (failed) throw new Error(failed);
      return;
    }
    troubles.splice(before);
  }
}

/** A page of a browser that remembers nothing; whatever goes wrong in it comes to `troubles`. */
export async function open(
  browser: Browser,
  address: string,
  shown: Partial<Shown> = {},
  troubles: string[] = [],
): Promise<{ page: Page; troubles: string[] }> {
  const context = await browser.newContext({
    viewport: { width: shown.width ?? 1280, height: shown.height ?? 800 },
    colorScheme: shown.theme ?? "dark",
    reducedMotion: "reduce",
  });
  context.setDefaultTimeout(LIMIT);
  const page = await context.newPage();
  page.on("pageerror", (error) => troubles.push(`${error.message}\n${error.stack ?? ""}`));
  page.on("console", (message) => {
    // That a server is gone, the page says itself.
    const isLost = /WebSocket connection|net::ERR_CONNECTION/.test(message.text());
    if (message.type() === "error" && !isLost) troubles.push(message.text());
  });
  await load(troubles, () => page.goto(address));
  return { page, troubles };
}
