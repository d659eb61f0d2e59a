/** Terminals in memory: a program that greets, and notes what is typed. Never shipped. */

import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import type { OpenRequest, Size, TerminalAnswer, TerminalRequest } from "$contract/qbo";
import { WebSocketServer, type WebSocket } from "ws";

export class FakeTerminals {
  /** What every program says first. */
  greeting = "";
  /** All that was typed, as bytes are. */
  typed = "";
  /** What was opened, the latest last; and the sizes that windows were given. */
  readonly opened: OpenRequest[] = [];
  readonly sizes: Size[] = [];
  readonly sockets = new WebSocketServer({ noServer: true });
  readonly #open = new Set<WebSocket>();

  attach(server: Server): void {
    server.on("upgrade", (request, socket, head) => {
      if (request.url === "/terminal") this.sockets.handleUpgrade(request, socket, head, (peer) => this.#serve(peer));
    });
  }

  /** The programs say this. */
  write(text: string): void {
    for (const socket of this.#open) socket.send(Buffer.from(text));
  }

  stop(): void {
    for (const socket of this.#open) socket.terminate();
    this.sockets.close();
  }

  #serve(socket: WebSocket): void {
    const answer = (answer: TerminalAnswer): void => socket.send(JSON.stringify(answer));
    this.#open.add(socket);
    socket.on("close", () => this.#open.delete(socket));
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) {
        this.typed += data.toString();
        answer({ acknowledge: data.length });
        return;
      }
      const request = JSON.parse(data.toString()) as TerminalRequest;
      if ("open" in request) {
        this.opened.push(request.open);
        this.sizes.push({ columns: request.open.columns, rows: request.open.rows });
        answer({ opened: { session: request.open.session ?? randomUUID(), title: "alex@cloud: ~" } });
        socket.send(Buffer.from(this.greeting));
      } else if ("resize" in request) {
        this.sizes.push(request.resize);
      } else if ("close" in request) {
        socket.close();
      }
    });
  }
}
