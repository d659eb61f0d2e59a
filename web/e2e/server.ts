/** A qbo-api of the tests' own, with a HOME and a port of its own, before a real Docker. */

import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { preview, type PreviewServer } from "vite";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const WEB = fileURLToPath(new URL("..", import.meta.url));

/** Where no other server of tests makes networks. */
const RANGE = "10.231.0.0/16";
const STARTING = 60_000;
/** Of clusters for which no other is asked, so that no registry is. */
const IMAGE = process.env["QBO_NODE_IMAGE"] ?? "qbo/node:v1.37.2";

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

export class QboApi {
  readonly #home = mkdtempSync(join(tmpdir(), "qbo-console-"));
  #process: ChildProcess | undefined;
  #preview: PreviewServer | undefined;
  #port = 0;
  log = "";

  static async start(): Promise<QboApi> {
    const api = new QboApi();
    api.#port = await freePort();
    await api.#run();
    // A server without the console in it is looked at through what serves the built files.
    const page = await fetch(`http://127.0.0.1:${api.#port}/console`);
    if (!page.ok) api.#preview = await serveBefore(api.#port);
    return api;
  }

  /** Where the console is. */
  get address(): string {
    const port = this.#preview ? (this.#preview.httpServer.address() as AddressInfo).port : this.#port;
    return `http://127.0.0.1:${port}`;
  }

  /** Ends it the way a crash does. */
  async crash(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Another one in its place, with the same home and port. */
  async restart(): Promise<void> {
    await this.#run();
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
    await this.#preview?.close();
    rmSync(this.#home, { recursive: true, force: true });
  }

  async #run(): Promise<void> {
    const target = process.env["CARGO_TARGET_DIR"] ?? join(ROOT, "target");
    const program = process.env["QBO_API"] ?? join(target, "debug/qbo-api");
    if (!existsSync(program)) throw new Error(`${program} is not there: cargo build --package qbo-server`);
    const words = ["--listen", `127.0.0.1:${this.#port}`, "--network-range", RANGE, "--image", IMAGE];
    const child = spawn(program, words, {
      env: { ...process.env, HOME: this.#home, NO_COLOR: "1" },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#process = child;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`qbo-api does not listen:\n${this.log}`)), STARTING);
      child.once("exit", (code) => reject(new Error(`qbo-api ended with ${code}:\n${this.log}`)));
      child.stderr.on("data", (data: Buffer) => {
        this.log += data.toString();
        if (!this.log.includes("listening on")) return;
        clearTimeout(timer);
        resolve();
      });
    });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.removeAllListeners("exit");
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill(signal);
    await ended;
    this.log = "";
  }
}

async function serveBefore(port: number): Promise<PreviewServer> {
  const target = `http://127.0.0.1:${port}`;
  const proxied = { target, changeOrigin: true, ws: true, headers: { origin: target } };
  return preview({
    root: WEB,
    configFile: false,
    logLevel: "silent",
    preview: { host: "127.0.0.1", port: await freePort(), proxy: { "/qbo": proxied, "/terminal": proxied } },
  });
}
