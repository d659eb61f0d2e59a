/** Serves the built console as the server does, with its policy, and a world behind `/qbo`. Never shipped. */

import { randomUUID } from "node:crypto";
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer, type WebSocket } from "ws";
import { FakeTerminals } from "./terminal";
import { HOME, World, type Told } from "./world";

export const DIST = fileURLToPath(new URL("../../dist", import.meta.url));

export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

/** Files of the console; every other path is the page. */
export function serveFiles(): Server {
  return createServer((request, response) => {
    const path = normalize(new URL(request.url ?? "/", "http://host").pathname);
    const file = join(DIST, path);
    const shown = existsSync(file) && statSync(file).isFile() ? file : join(DIST, "index.html");
    response.writeHead(200, {
      "content-type": TYPES[extname(shown)] ?? "application/octet-stream",
      "content-security-policy": POLICY,
    });
    createReadStream(shown).pipe(response);
  });
}

export async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** As often as the server does. */
const SAMPLING = 2_000;

interface Peer {
  readonly socket: WebSocket;
  readonly wsi: string;
  readonly mirrors: Set<string>;
  /** In which it watches what is used. */
  readonly watching: Set<string>;
}

export class FakeServer {
  readonly world = new World((told) => this.#tell(told));
  readonly terminals = new FakeTerminals();
  readonly #peers = new Set<Peer>();
  readonly #server = serveFiles();
  readonly #sockets = new WebSocketServer({ noServer: true });
  #sampling: NodeJS.Timeout | undefined;
  /** It serves pages, and nothing else. */
  isRefusing = false;
  port = 0;

  static async start(fill: (world: World) => void, port = 0): Promise<FakeServer> {
    const server = new FakeServer();
    fill(server.world);
    server.port = await listen(server.#server, port);
    server.terminals.attach(server.#server);
    server.#sampling = setInterval(() => server.#sample(), SAMPLING);
    server.#server.on("upgrade", (request, socket, head) => {
      if (server.isRefusing) socket.destroy();
      else if (request.url === "/qbo")
        server.#sockets.handleUpgrade(request, socket, head, (peer) => server.#connect(peer));
    });
    return server;
  }

  get address(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Ends as a crash does. */
  async stop(): Promise<void> {
    clearInterval(this.#sampling);
    for (const peer of this.#peers) peer.socket.terminate();
    this.terminals.stop();
    this.#sockets.close();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #connect(socket: WebSocket): void {
    const peer: Peer = { socket, wsi: randomUUID(), mirrors: new Set([HOME]), watching: new Set() };
    this.#peers.add(peer);
    socket.on("close", () => this.#peers.delete(peer));
    socket.on("message", (data) => {
      const request = JSON.parse(String(data)) as { cmd: string; uuid: string };
      const mirror = request.uuid === "" ? HOME : request.uuid;
      peer.mirrors.add(mirror);
      if (request.cmd === "get usage -w") peer.watching.add(mirror);
      const [, left = ""] = /^leave mirror (\S+)$/.exec(request.cmd) ?? [];
      peer.watching.delete(left);
      peer.mirrors.delete(left);
      this.world.run(request.cmd, peer.wsi, mirror);
    });
  }

  /** How many connections watch what is used. */
  get watching(): number {
    return [...this.#peers].filter((peer) => peer.watching.size > 0).length;
  }

  #sample(): void {
    if (this.watching > 0) this.world.sample();
  }

  #tell({ mirror, isSample, envelope, payload }: Told): void {
    const text = JSON.stringify({ ...envelope, ...payload });
    for (const peer of this.#peers) {
      if (peer.mirrors.has(mirror) && (!isSample || peer.watching.size > 0)) peer.socket.send(text);
    }
  }
}

/** As in the pictures: two clusters that live, and one that does not. */
export function example(world: World): void {
  world.cluster("alex", 2, 7).ports = ["127.0.0.1:8080:30080/tcp", "5353:30053/udp"];
  world.cluster("prod", 4, 18);
  world.cluster("test", 1, 0, "stopped");
  world.rows.registries.push(
    { name: "localhost:5000", address: "http://127.0.0.1:5000", host: true, user: "alex@example.com" },
    { name: "docker.io", address: "http://10.0.0.7:5000", host: false, user: "alex@example.com" },
  );
  world.rows.clients.push(
    ...["qbo-console/0.1.0", "qbo/0.1.0"].map((agent, index) => ({
      timestamp: Math.floor(Date.now() / 1000) - 3600 * index,
      user: "alex@example.com",
      mirror: HOME,
      control: 1,
      address: `127.0.0.1:5000${index}`,
      agent,
      command: "get nodes -A",
      command_id: "7d510d78-7444-4252-aeac-9e473949661e",
      process_id: 4711,
      thread_id: 7,
      wsi: `216731d8-a74c-4e5a-9701-8b9f64c49fa${index}`,
      wss_over_h2: 0,
      host: "cloud",
    })),
  );
}
