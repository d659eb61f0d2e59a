/** What people do in the console, before a server that is not there: keys, links, errors at the word, reconnects. */

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
  ({ page, troubles } = await open(browser, `${server.address}/clusters`));
  await page.locator("[role=row]").filter({ hasText: "alex" }).waitFor();
});
afterEach(async () => {
  expect(troubles).toEqual([]);
  await page.context().close();
  await server.stop();
});

const names = async (): Promise<string[]> =>
  page.locator("[role=rowgroup] [role=row] [role=gridcell]:first-child").allInnerTexts();
const field = () => page.getByRole("combobox", { name: "Command" });

test("a command is completed, run, and its steps are shown until it is done", async () => {
  await page.keyboard.press("/");
  await page.keyboard.type("add cl");
  await page.keyboard.press("Tab");
  expect(await field().inputValue()).toBe("add cluster ");
  await page.keyboard.type("new -n 3");
  await page.keyboard.press("Enter");
  await page.getByRole("progressbar").waitFor();
  await page
    .getByText(/done in/)
    .first()
    .waitFor();
  await page.locator("[role=row]").filter({ hasText: "new" }).filter({ hasText: "ready" }).waitFor();
  await page.keyboard.press("ArrowUp");
  expect(await field().inputValue()).toBe("add cluster new -n 3");
});

test("what is wrong is told at the word, and not sent", async () => {
  await field().fill("get pots ");
  await page.keyboard.type("x");
  await page.getByText("did you mean 'get pods'?").waitFor();
  expect(await page.locator(".wrong").innerText()).toBe("pots");
  await page.keyboard.press("Enter");
  expect(await field().inputValue()).toBe("get pots x");
});

test("what the server refuses is shown with its cure", async () => {
  await field().fill("delete node nobody");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByText("Not known here: nobody").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByText("there are: alex, prod").waitFor();
});

test("deleting asks with names; cancelling does nothing", async () => {
  await field().fill("delete cluster alex");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await dialog.getByText("3 nodes").waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  expect(await names()).toContain("alex");
  await field().fill("delete cluster alex");
  await page.keyboard.press("Enter");
  await dialog.getByRole("button", { name: "Delete" }).click();
  await expect.poll(names).not.toContain("alex");
});

test("registries come by the command line and go with a confirmation", async () => {
  await page.goto(`${server.address}/registries?q=localhost`);
  await page.getByRole("heading", { name: "Registries" }).waitFor();
  await expect.poll(names).toEqual(["localhost:5000"]);
  await page.getByRole("button", { name: "Add a registry" }).click();
  expect(await field().inputValue()).toBe("add registry ");
  await page.keyboard.type("localhost:5001");
  await page.keyboard.press("Enter");
  await expect.poll(names).toEqual(["localhost:5000", "localhost:5001"]);
  await page.locator("[role=row]").filter({ hasText: "localhost:5001" }).click();
  await page.getByRole("complementary", { name: "localhost:5001" }).getByText('"http://127.0.0.1:5001"').waitFor();
  expect(page.url()).toContain("open=localhost%3A5001");
  await page.getByRole("button", { name: "Delete localhost:5000" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("heading", { name: "Delete 1 registry?" }).waitFor();
  await dialog.getByText("Nodes pull from it no longer").waitFor();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await expect.poll(names).toEqual(["localhost:5001"]);
});

test("without registries the view says what to do", async () => {
  server.world.run("delete registry localhost:5000", "", "");
  server.world.run("delete registry docker.io", "", "");
  await page.getByRole("link", { name: "Registries" }).click();
  await page.getByText("registries of the internet alone").waitFor();
});

test("ports of a cluster are seen, added and deleted", async () => {
  await page.goto(`${server.address}/clusters/alex`);
  await page.getByRole("link", { name: "Ports 2" }).click();
  await expect.poll(names).toEqual(["5353/udp", "8080/tcp"]);
  expect(page.url()).toContain("/clusters/alex/ports");
  await page.getByRole("button", { name: "Add a port" }).click();
  expect(await field().inputValue()).toBe("add port alex ");
  await page.keyboard.type("9090:30090");
  await page.keyboard.press("Enter");
  await expect.poll(names).toEqual(["5353/udp", "8080/tcp", "9090/tcp"]);
  await page.getByRole("button", { name: "Delete 8080/tcp" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("into alex, to port 30080").waitFor();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await expect.poll(names).toEqual(["5353/udp", "9090/tcp"]);
});

test("two pages are in one mirror", async () => {
  const second = await open(browser, `${server.address}/messages`);
  await field().fill("test host");
  await page.keyboard.press("Enter");
  await second.page.locator("[role=row]").filter({ hasText: "qbo test host" }).first().waitFor();
  await second.page.context().close();
});

test("a link leads to filter, order and the open row, and back", async () => {
  const pod = server.world.rows.pods[3];
  const key = encodeURIComponent(`${pod?.cluster_id}/${pod?.id}`);
  await page.goto(`${server.address}/pods?q=cluster:alex&sort=-name&open=${key}`);
  await page.getByRole("complementary", { name: pod?.name ?? "" }).waitFor();
  const shown = await names();
  expect(shown.length).toBe(21);
  expect(shown).toEqual([...shown].sort().reverse());
  await page.getByRole("link", { name: "Nodes" }).click();
  await page.getByRole("heading", { name: "Nodes" }).waitFor();
  await page.goBack();
  await page.getByRole("complementary", { name: pod?.name ?? "" }).waitFor();
  expect(page.url()).toContain("q=cluster");
});

test("everything is reached by keys", async () => {
  await page.keyboard.press("g");
  await page.keyboard.press("p");
  await page.getByRole("heading", { name: "Pods" }).waitFor();
  await page.keyboard.press("f");
  await page.keyboard.type("Pending");
  await page.keyboard.press("ArrowDown");
  const focused = async (): Promise<string | null> =>
    page.evaluate(() => document.activeElement?.ariaLabel ?? document.activeElement?.role ?? null);
  await page.keyboard.press("ArrowRight");
  expect(await focused()).toMatch(/^Logs of /);
  await page.keyboard.press("ArrowLeft");
  expect(await focused()).toBe("Pods");
  await page.keyboard.press("Enter");
  await page.getByRole("complementary").waitFor();
  await page.keyboard.press("ArrowDown");
  expect(page.url()).toContain("open=");
  await page.keyboard.press("Escape");
  await page.getByRole("complementary").waitFor({ state: "detached" });
  await page.keyboard.press("?");
  await page.getByRole("dialog").getByText("Filter of the table").waitFor();
});

test("what is used is told while it is shown, and for a while after", async () => {
  await page.clock.install();
  await page.reload();
  await page.locator("[role=row]").filter({ hasText: "alex" }).waitFor();
  expect(server.watching).toBe(0);
  await page.getByRole("link", { name: "Nodes" }).click();
  const plot = page.locator("[role=row] .plot path[d*=M]").first();
  await plot.waitFor({ state: "attached" });
  const before = await plot.getAttribute("d");
  server.world.sample();
  await page.clock.runFor(1_000);
  expect(await plot.getAttribute("d")).not.toBe(before);
  await page.getByRole("button", { name: "CPU" }).click();
  await expect.poll(names).not.toEqual((await names()).toSorted());
  await page.getByRole("link", { name: "Networks" }).click();
  await page.clock.runFor(20_000);
  expect(server.watching).toBe(1);
  await page.clock.runFor(15_000);
  await expect.poll(() => server.watching).toBe(0);
});

test("after a server that was away nothing is stale", async () => {
  const { port } = server;
  await server.stop();
  await page.getByText("Disconnected.").waitFor();
  expect(await names()).toEqual(["alex", "prod", "test"]);
  server = await FakeServer.start((world) => world.cluster("later", 1, 1), port);
  await expect.poll(names, { timeout: 20_000 }).toEqual(["later"]);
  await page.getByText("Disconnected.").waitFor({ state: "detached" });
});

test("the theme is chosen and remembered, panels too, and nothing else of note", async () => {
  await page.getByRole("button", { name: "Theme: as the system" }).click();
  expect(await page.evaluate(() => document.documentElement.dataset["theme"])).toBe("light");
  await page.goto(`${server.address}/console`);
  await page.getByRole("button", { name: "Maximise Graph" }).click();
  await field().fill("get cluster -k alex");
  await page.keyboard.press("Enter");
  await page.getByText("apiVersion: v1").waitFor();
  await page.reload();
  await page.getByRole("button", { name: "Restore Graph" }).waitFor();
  expect(await page.evaluate(() => document.documentElement.dataset["theme"])).toBe("light");
  const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  expect(kept).not.toContain("apiVersion");
});
