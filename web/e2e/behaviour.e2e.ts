/** What people do in the console, before a server that is not there: keys, links, errors at the word, reconnects. */

import { expect, test } from "vitest";
import { connected, open } from "./browser";
import { FakeServer } from "./fake/server";
import { staged } from "./stage";

const stage = staged("clusters");

const names = async (): Promise<string[]> =>
  stage.page.locator("[role=rowgroup] [role=row] [role=gridcell]:first-child").allInnerTexts();
const field = () => stage.page.getByRole("combobox", { name: "Command" });

test("a command is completed, run, and its steps are shown until it is done", async () => {
  await stage.page.keyboard.press("/");
  await stage.page.keyboard.type("add cl");
  await stage.page.keyboard.press("Tab");
  expect(await field().inputValue()).toBe("add cluster ");
  await stage.page.keyboard.type("new -n 3");
  await stage.page.keyboard.press("Enter");
  await stage.page.getByRole("progressbar").waitFor();
  await stage.page
    .getByText(/done in/)
    .first()
    .waitFor();
  await stage.page.locator("[role=row]").filter({ hasText: "new" }).filter({ hasText: "ready" }).waitFor();
  await stage.page.keyboard.press("ArrowUp");
  expect(await field().inputValue()).toBe("add cluster new -n 3");
});

test("what is wrong is told at the word, and not sent", async () => {
  await field().fill("get pots ");
  await stage.page.keyboard.type("x");
  await stage.page.getByText("did you mean 'get pods'?").waitFor();
  expect(await stage.page.locator(".wrong").innerText()).toBe("pots");
  await stage.page.keyboard.press("Enter");
  expect(await field().inputValue()).toBe("get pots x");
});

test("what the server refuses is shown with its cure", async () => {
  await field().fill("delete node nobody");
  await stage.page.keyboard.press("Enter");
  await stage.page.getByRole("dialog").getByText("Not known here: nobody").waitFor();
  await stage.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await stage.page.getByText("there are: alex, prod").waitFor();
});

test("deleting asks with names; cancelling does nothing", async () => {
  await field().fill("delete cluster alex");
  await stage.page.keyboard.press("Enter");
  const dialog = stage.page.getByRole("dialog");
  await dialog.getByText("3 nodes").waitFor();
  await stage.page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  expect(await names()).toContain("alex");
  await field().fill("delete cluster alex");
  await stage.page.keyboard.press("Enter");
  await dialog.getByRole("button", { name: "Delete" }).click();
  await expect.poll(names).not.toContain("alex");
});

test("registries come by the command line and go with a confirmation", async () => {
  await stage.page.goto(`${stage.server.address}/registries?q=localhost`);
  await stage.page.getByRole("heading", { name: "Registries" }).waitFor();
  await expect.poll(names).toEqual(["localhost:5000"]);
  await stage.page.getByRole("button", { name: "Add a registry" }).click();
  expect(await field().inputValue()).toBe("add registry ");
  await stage.page.keyboard.type("localhost:5001");
  await stage.page.keyboard.press("Enter");
  await expect.poll(names).toEqual(["localhost:5000", "localhost:5001"]);
  await stage.page.locator("[role=row]").filter({ hasText: "localhost:5001" }).click();
  await stage.page
    .getByRole("complementary", { name: "localhost:5001" })
    .getByText('"http://127.0.0.1:5001"')
    .waitFor();
  expect(stage.page.url()).toContain("open=localhost%3A5001");
  await stage.page.getByRole("button", { name: "Delete localhost:5000" }).click();
  const dialog = stage.page.getByRole("dialog");
  await dialog.getByRole("heading", { name: "Delete 1 registry?" }).waitFor();
  await dialog.getByText("Nodes pull from it no longer").waitFor();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await expect.poll(names).toEqual(["localhost:5001"]);
});

test("without registries the view says what to do", async () => {
  stage.server.world.run("delete registry localhost:5000", "", "");
  stage.server.world.run("delete registry docker.io", "", "");
  await stage.page.getByRole("link", { name: "Registries" }).click();
  await stage.page.getByText("registries of the internet alone").waitFor();
});

test("ports of a cluster are seen, added and deleted", async () => {
  await stage.page.goto(`${stage.server.address}/clusters/alex`);
  await stage.page.getByRole("link", { name: "Ports 2" }).click();
  await expect.poll(names).toEqual(["5353/udp", "8080/tcp"]);
  expect(stage.page.url()).toContain("/clusters/alex/ports");
  await stage.page.getByRole("button", { name: "Add a port" }).click();
  expect(await field().inputValue()).toBe("add port alex ");
  await stage.page.keyboard.type("9090:30090");
  await stage.page.keyboard.press("Enter");
  await expect.poll(names).toEqual(["5353/udp", "8080/tcp", "9090/tcp"]);
  await stage.page.getByRole("button", { name: "Delete 8080/tcp" }).click();
  const dialog = stage.page.getByRole("dialog");
  await dialog.getByText("into alex, to port 30080").waitFor();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await expect.poll(names).toEqual(["5353/udp", "9090/tcp"]);
});

test("two pages are in one mirror", async () => {
  const second = await open(stage.browser, `${stage.server.address}/messages`);
  await connected(second.page);
  await field().fill("test host");
  await stage.page.keyboard.press("Enter");
  await second.page.locator("[role=row]").filter({ hasText: "qbo test host" }).first().waitFor();
  await second.page.context().close();
});

test("a link leads to filter, order and the open row, and back", async () => {
  const pod = stage.server.world.rows.pods[3];
  const key = encodeURIComponent(`${pod?.cluster_id}/${pod?.id}`);
  await stage.page.goto(`${stage.server.address}/pods?q=cluster:alex&sort=-name&open=${key}`);
  await stage.page.getByRole("complementary", { name: pod?.name ?? "" }).waitFor();
  await expect.poll(async () => (await names()).length).toBe(21);
  const shown = await names();
  expect(shown).toEqual([...shown].sort().reverse());
  await stage.page.getByRole("link", { name: "Nodes" }).click();
  await stage.page.getByRole("heading", { name: "Nodes" }).waitFor();
  await stage.page.goBack();
  await stage.page.getByRole("complementary", { name: pod?.name ?? "" }).waitFor();
  await expect.poll(() => stage.page.url()).toContain("q=cluster");
});

test("everything is reached by keys", async () => {
  await stage.page.keyboard.press("g");
  await stage.page.keyboard.press("p");
  await stage.page.getByRole("heading", { name: "Pods" }).waitFor();
  await stage.page.keyboard.press("f");
  await stage.page.keyboard.type("Pending");
  const statuses = stage.page.locator("[role=rowgroup] [role=row] [role=gridcell]:nth-child(2)");
  await expect.poll(async () => [...new Set(await statuses.allInnerTexts())]).toEqual(["Pending"]);
  await stage.page.keyboard.press("ArrowDown");
  const focused = async (): Promise<string | null> =>
    stage.page.evaluate(() => document.activeElement?.ariaLabel ?? document.activeElement?.role ?? null);
  await stage.page.keyboard.press("ArrowRight");
  await expect.poll(focused).toMatch(/^Logs of /);
  await stage.page.keyboard.press("ArrowLeft");
  await expect.poll(focused).toBe("Pods");
  await stage.page.keyboard.press("Enter");
  await stage.page.getByRole("complementary").waitFor();
  await stage.page.keyboard.press("ArrowDown");
  await expect.poll(() => stage.page.url()).toContain("open=");
  await stage.page.keyboard.press("Escape");
  await stage.page.getByRole("complementary").waitFor({ state: "detached" });
  await stage.page.keyboard.press("?");
  await stage.page.getByRole("dialog").getByText("Filter of the table").waitFor();
});

test("what is used is told while it is shown, and for a while after", async () => {
  await stage.page.clock.install();
  await stage.page.reload();
  await stage.page.locator("[role=row]").filter({ hasText: "alex" }).waitFor();
  expect(stage.server.watching).toBe(0);
  await stage.page.getByRole("link", { name: "Nodes" }).click();
  const plot = stage.page.locator("[role=row] .plot path[d*=M]").first();
  await plot.waitFor({ state: "attached" });
  const before = await plot.getAttribute("d");
  const after = async (): Promise<string | null> => {
    stage.server.world.sample();
    await stage.page.clock.runFor(1_000);
    return plot.getAttribute("d");
  };
  await expect.poll(after).not.toBe(before);
  await stage.page.getByRole("button", { name: "CPU" }).click();
  await expect.poll(names).not.toEqual((await names()).toSorted());
  await stage.page.getByRole("link", { name: "Networks" }).click();
  // Besides, the clock goes on by itself.
  await stage.page.clock.runFor(5_000);
  expect(stage.server.watching).toBe(1);
  await stage.page.clock.runFor(30_000);
  await expect.poll(() => stage.server.watching).toBe(0);
});

test("after a server that was away nothing is stale", async () => {
  const { port } = stage.server;
  await stage.server.stop();
  await stage.page.getByText("Disconnected.").waitFor();
  expect(await names()).toEqual(["alex", "prod", "test"]);
  stage.server = await FakeServer.start((world) => world.cluster("later", 1, 1), port);
  await expect.poll(names).toEqual(["later"]);
  await stage.page.getByText("Disconnected.").waitFor({ state: "detached" });
});

test("the theme is chosen and remembered, panels too, and nothing else of note", async () => {
  await stage.page.getByRole("button", { name: "Theme: as the system" }).click();
  expect(await stage.page.evaluate(() => document.documentElement.dataset["theme"])).toBe("light");
  await stage.page.goto(`${stage.server.address}/console`);
  await connected(stage.page);
  await stage.page.getByRole("button", { name: "Maximise Graph" }).click();
  await field().fill("get cluster -k alex");
  await stage.page.keyboard.press("Enter");
  await stage.page.getByText("apiVersion: v1").waitFor();
  await stage.page.reload();
  await stage.page.getByRole("button", { name: "Restore Graph" }).waitFor();
  expect(await stage.page.evaluate(() => document.documentElement.dataset["theme"])).toBe("light");
  const kept = await stage.page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  expect(kept).not.toContain("apiVersion");
});
