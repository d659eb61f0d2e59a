/** The console before a real server, Docker and a real cluster: two browsers see what commands, docker and kubectl do. */

import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Browser, Locator, Page } from "playwright-core";
import { connected, CUT_OFF, launch, load, open } from "./browser";
import { freePort, QboApi } from "./server";

/** Minutes, of a machine that does other things too. */
const MAKING = 300_000;
const SEEING = 120_000;
const directory = process.env["QBO_SCREENSHOTS"] ?? "screenshots";

let api: QboApi;
let browser: Browser;
let one: Page;
let other: Page;
const troubles: string[] = [];

beforeAll(async () => {
  mkdirSync(directory, { recursive: true });
  api = await QboApi.start();
  browser = await launch();
  const size = { width: 1440, height: 900 };
  ({ page: one } = await open(browser, `${api.address}/clusters`, size, troubles));
  ({ page: other } = await open(browser, `${api.address}/nodes`, { ...size, theme: "light" }, troubles));
  for (const page of [one, other]) await connected(page);
});
afterAll(async () => {
  await browser.close();
  for (const id of containers()) docker("rm", "--force", "--volumes", id);
  await api.stop();
});

function docker(...words: string[]): string {
  return execFileSync("docker", words, { encoding: "utf8" }).trim();
}

/** The containers of this test's clusters. */
function containers(): string[] {
  const rows = docker("ps", "--all", "--format", "{{.ID}} {{.Names}}", "--filter", "name=console-e2e.test").split("\n");
  return rows.filter((row) => row !== "").map((row) => row.split(" ")[0] ?? "");
}

function row(page: Page, text: string | RegExp): Locator {
  return page.locator("[role=rowgroup] [role=row]").filter({ hasText: text });
}

async function command(page: Page, line: string): Promise<void> {
  await page.keyboard.press("/");
  await page.getByRole("combobox", { name: "Command" }).fill(line);
  await page.keyboard.press("Enter");
}

/** Shows the terminals beneath a view, where there is none with a new shell. */
async function openTerminals(page: Page): Promise<void> {
  await page.locator("#main").focus();
  await page.keyboard.press("t");
  await page.locator(".xterm-screen").filter({ visible: true }).waitFor({ timeout: SEEING });
}

/** Waits until a command that was sent from here is done. */
async function done(page: Page, line: string): Promise<void> {
  const outcome = page.getByRole("region", { name: `Outcome of qbo ${line}` });
  await outcome.getByText(/done in/).waitFor({ timeout: SEEING });
}

/** To a view, by its address. */
async function visit(page: Page, view: string): Promise<void> {
  // Until all of it is there: what a view loads by itself may be cut off as well.
  await load(troubles, () => page.goto(`${api.address}/${view}`, { waitUntil: "networkidle" }));
  await connected(page);
}

/** To a view, by its key. */
async function go(page: Page, key: string): Promise<void> {
  await page.locator("#main").focus();
  await page.keyboard.press("g");
  await page.keyboard.press(key);
}

/** A picture, small enough for README. */
async function shot(page: Page, name: string): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send("Page.captureScreenshot", { format: "webp", quality: 82 });
  writeFileSync(`${directory}/${name}.webp`, Buffer.from(data, "base64"));
  await session.detach();
}

describe.sequential("a real cluster", () => {
  test(
    "is added from the command line, and both browsers see its nodes come",
    async () => {
      await command(one, "add cluster web -n 2 -d console-e2e.test");
      // The steps of the running command: here above the view, there among the clusters.
      await one.getByRole("progressbar").waitFor({ timeout: SEEING });
      await row(other, /creating/)
        .first()
        .waitFor({ timeout: SEEING });
      // Moving about in the page keeps what it was told.
      await go(one, "h");
      await row(one, /creating/)
        .first()
        .waitFor({ timeout: SEEING });
      await shot(one, "adding");
      await go(one, "c");
      await row(one, "web").filter({ hasText: "ready" }).waitFor({ timeout: MAKING });
      await expect.poll(() => row(other, "ready").count(), { timeout: SEEING }).toBe(2);
      await visit(other, "pods");
      await row(other, "etcd-control").filter({ hasText: "Running" }).waitFor({ timeout: SEEING });
    },
    MAKING + 2 * SEEING,
  );

  test(
    "what kubectl scales is seen",
    async () => {
      const control = docker("ps", "--format", "{{.Names}}", "--filter", "name=^control-.*console-e2e.test");
      await visit(other, "pods?q=coredns");
      await expect.poll(() => row(other, "coredns").count(), { timeout: SEEING }).toBeGreaterThan(0);
      const kubectl = ["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "--namespace", "kube-system"];
      docker("exec", control, ...kubectl, "scale", "deployment/coredns", "--replicas", "4");
      await expect.poll(() => row(other, "coredns").count(), { timeout: SEEING }).toBe(4);
      docker("exec", control, ...kubectl, "scale", "deployment/coredns", "--replicas", "1");
      await expect.poll(() => row(other, "coredns").count(), { timeout: SEEING }).toBe(1);
      await one.getByRole("button", { name: "Close" }).first().click();
      await go(one, "h");
      await row(one, "ready").first().waitFor();
      await one.mouse.move(0, 0);
      await shot(one, "console");
      await visit(other, "pods");
      // One of its CPU and one of its memory, once there are two samples.
      await expect
        .poll(() => row(other, "kube-apiserver").locator(".plot path[d*=M]:not(.area)").count(), { timeout: SEEING })
        .toBe(2);
      await row(other, "kube-apiserver").click();
      await other.getByRole("complementary").waitFor();
      await shot(other, "pods");
    },
    4 * SEEING,
  );

  test(
    "a shell in a node runs kubectl, and a pod's log is followed",
    async () => {
      await visit(other, "nodes");
      await row(other, "control-").getByRole("button", { name: "Shell" }).click();
      const screen = other.locator(".xterm-rows");
      await screen.waitFor({ timeout: SEEING });
      await other.locator(".xterm-screen").click();
      await expect.poll(async () => (await screen.innerText()).trim(), { timeout: SEEING }).not.toBe("");
      await other.keyboard.type("kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes\n");
      await expect.poll(async () => screen.innerText(), { timeout: SEEING }).toMatch(/control-plane/);
      await visit(other, "pods?q=etcd");
      await row(other, "etcd").getByRole("button", { name: "Logs" }).click();
      await other.getByRole("tab", { name: /Logs|etcd/, selected: true }).waitFor({ timeout: SEEING });
      const log = other.getByRole("tabpanel").filter({ visible: true }).locator(".xterm-rows");
      // etcd writes JSON.
      await expect.poll(async () => log.innerText(), { timeout: SEEING }).toMatch(/"level"/);
      await shot(other, "logs");
    },
    4 * SEEING,
  );

  test(
    "a shell of one's own has kubectl, qbo, jq and helm, outlives a reload, and has others beside it",
    async () => {
      await visit(one, "nodes");
      await row(one, "control-").waitFor({ timeout: SEEING });
      await openTerminals(one);
      const screen = one.getByRole("tabpanel").filter({ visible: true }).locator(".xterm-rows");
      const types = async (line: string, wanted: RegExp): Promise<void> => {
        await one.locator(".xterm-screen").filter({ visible: true }).click();
        await one.keyboard.type(`clear; ${line}\n`);
        await expect.poll(async () => screen.innerText(), { timeout: SEEING }).toMatch(wanted);
      };
      await expect.poll(async () => screen.innerText(), { timeout: SEEING }).toContain("$");
      await types("kubectl get nodes", /control-\S+\s+Ready\s+control-plane/);
      await types("qbo get nodes", /control-\S+\s+ready\s+web/);
      await shot(one, "shell");
      await types('echo \'{"a": {"b": 42}}\' | jq -c .a', /^\{"b":42\}/m);
      await types("helm version --template '{{.Version}}'", /^v4\.\d+/m);
      await types("kept=here-$((40 + 2)); echo $kept", /^here-42/m);

      await load(troubles, () => one.reload({ waitUntil: "networkidle" }));
      await openTerminals(one);
      // What it said before is there again, and so is what it knew.
      await expect.poll(async () => screen.innerText(), { timeout: SEEING }).toContain("here-42");
      await types("echo still-$kept", /^still-here-42/m);

      await one.getByRole("button", { name: "New shell" }).click();
      await expect.poll(async () => one.getByRole("tab").count()).toBe(2);
      await expect.poll(async () => screen.innerText(), { timeout: SEEING }).toContain("$");
      await types("echo other-$kept.", /^other-\./m);
      await one.getByRole("tab").first().click();
      await expect.poll(async () => screen.innerText()).toContain("still-here-42");

      const columns = async (): Promise<number> => {
        await types('echo "columns=$(tput cols)."', /^columns=\d+\./m);
        return Number(/^columns=(\d+)\./m.exec(await screen.innerText())?.[1]);
      };
      const wide = await columns();
      await one.setViewportSize({ width: 1000, height: 900 });
      await expect.poll(columns, { timeout: SEEING }).toBeLessThan(wide);
      await one.setViewportSize({ width: 1440, height: 900 });
      await expect.poll(columns, { timeout: SEEING }).toBe(wide);

      await one.getByRole("button", { name: "Close this terminal" }).click();
      await one.getByRole("button", { name: "Close this terminal" }).click();
      await expect.poll(async () => one.getByRole("tab").count()).toBe(0);
    },
    5 * SEEING,
  );

  test(
    "ports and registries come and go, seen by both",
    async () => {
      await visit(one, "clusters/web/ports");
      await visit(other, "clusters/web/ports");
      await one.getByRole("button", { name: "Add a port" }).click();
      const port = await freePort();
      await one.keyboard.type(`127.0.0.1:${port}:30080\n`);
      await row(other, `${port}/tcp`).filter({ hasText: "30080" }).waitFor({ timeout: SEEING });
      // It is seen before the command has ended, until when the cluster is busy.
      await done(one, `add port web 127.0.0.1:${port}:30080/tcp`);
      await row(one, `${port}/tcp`).getByRole("button", { name: "Delete" }).click();
      await one.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
      await expect.poll(() => row(other, `${port}/tcp`).count(), { timeout: SEEING }).toBe(0);

      // What answers as a registry does.
      const registry = createServer((_, response) => response.end("{}"));
      await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
      const name = `localhost:${(registry.address() as AddressInfo).port}`;
      await visit(one, "registries");
      await visit(other, "registries");
      await one.getByRole("button", { name: "Add a registry" }).first().click();
      await one.keyboard.type(`${name}\n`);
      await row(other, name).filter({ hasText: "through this host" }).waitFor({ timeout: SEEING });
      await done(one, `add registry ${name}`);
      await row(one, name).getByRole("button", { name: "Delete" }).click();
      await one.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
      await other.getByText("registries of the internet alone").waitFor({ timeout: SEEING });
      await new Promise((resolve) => registry.close(resolve));
    },
    4 * SEEING,
  );

  test(
    "a container that docker kills is seen, and a server that was killed leaves no stale row",
    async () => {
      await visit(other, "nodes");
      await expect.poll(() => row(other, "ready").count(), { timeout: SEEING }).toBe(2);
      const worker = docker("ps", "--format", "{{.Names}}", "--filter", "name=^node-.*console-e2e.test");
      docker("kill", worker);
      await row(other, worker)
        .filter({ hasText: /stopped|not ready|starting|unknown/ })
        .waitFor({ timeout: SEEING });

      await api.crash();
      await other.getByText("Disconnected.").waitFor({ timeout: SEEING });
      // What goes meanwhile nobody tells.
      docker("rm", "--force", "--volumes", worker);
      expect(await row(other, worker).count()).toBe(1);
      await api.restart();
      await expect.poll(() => row(other, worker).count(), { timeout: SEEING }).toBe(0);
      await other.getByText("Disconnected.").waitFor({ state: "detached" });
      await row(other, "control-").filter({ hasText: "ready" }).waitFor({ timeout: SEEING });
    },
    5 * SEEING,
  );

  test(
    "deleting asks with names, and leaves nothing",
    async () => {
      await visit(one, "clusters");
      await row(one, "web").waitFor({ timeout: SEEING });
      await command(one, "delete cluster web");
      const dialog = one.getByRole("dialog");
      await dialog.getByText("web", { exact: true }).waitFor();
      await shot(one, "confirm");
      await dialog.getByRole("button", { name: "Delete" }).click();
      await expect.poll(() => row(one, "web").count(), { timeout: 2 * SEEING }).toBe(0);
      await visit(other, "nodes");
      await other.getByText("No node yet").waitFor({ timeout: SEEING });
      expect(containers()).toEqual([]);
      // What a cut that came later kept from the page, the tests above would have missed.
      expect(troubles.filter((trouble) => !trouble.includes(CUT_OFF))).toEqual([]);
    },
    4 * SEEING,
  );
});
