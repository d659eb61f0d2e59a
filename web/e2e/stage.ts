/** What tests of a file stand on: a browser for all of them, and for each a server in memory and a page before it. */

import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import type { Browser, Page } from "playwright-core";
import { launch, open } from "./browser";
import { example, FakeServer } from "./fake/server";

export interface Stage {
  readonly browser: Browser;
  readonly page: Page;
  /** Tests may put another in its place. */
  server: FakeServer;
}

/** Sets it up for every test of the file, with the page at a view, and sees to it that nothing goes wrong in the page. */
export function staged(view: string): Stage {
  const stage = {} as { browser: Browser; page: Page; server: FakeServer };
  let troubles: string[];
  beforeAll(async () => {
    stage.browser = await launch();
  });
  afterAll(async () => stage.browser.close());
  beforeEach(async () => {
    stage.server = await FakeServer.start(example);
    ({ page: stage.page, troubles } = await open(stage.browser, `${stage.server.address}/${view}`));
    await stage.page.locator("[role=rowgroup] [role=row] [role=gridcell]").first().waitFor();
  });
  afterEach(async () => {
    expect(troubles).toEqual([]);
    await stage.page.context().close();
    await stage.server.stop();
  });
  return stage;
}
