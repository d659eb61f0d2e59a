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

/** How often a page is loaded: an interface of the host that comes or goes meanwhile, as with each container, cuts it off. */
const ATTEMPTS = 3;

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

/** A page of a browser that remembers nothing; whatever goes wrong in it is in `troubles`. */
export async function open(
  browser: Browser,
  address: string,
  shown: Partial<Shown> = {},
): Promise<{ page: Page; troubles: string[] }> {
  const context = await browser.newContext({
    viewport: { width: shown.width ?? 1280, height: shown.height ?? 800 },
    colorScheme: shown.theme ?? "dark",
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  const troubles: string[] = [];
  page.on("pageerror", (error) => troubles.push(`${error.message}\n${error.stack ?? ""}`));
  page.on("console", (message) => {
    // That a server is gone, the page says itself.
    const isLost = /WebSocket connection|net::ERR_CONNECTION/.test(message.text());
    if (message.type() === "error" && !isLost) troubles.push(message.text());
  });
  for (let attempt = 1; ; attempt++) {
    const failed = await page.goto(address).then(
      () => "",
      (error: unknown) => String(error),
    );
    // What the page could not load, or the page itself.
    const isCut = [...troubles, failed].some((trouble) => trouble.includes("net::ERR_NETWORK_CHANGED"));
    if (!isCut || attempt === ATTEMPTS) {
      if (failed) throw new Error(failed);
      return { page, troubles };
    }
    troubles.length = 0;
  }
}
