/** The one WebSocket: it is made again whenever it is lost, after a time that grows and is never the same for all. */

import { read, type Message } from "./message";

/** What a connection is doing. */
export type Status =
  /** It is being made. */
  | "connecting"
  /** It is there. */
  | "open"
  /** It is lost, and will be tried again. */
  | "waiting";

/** What of WebSocket is used here. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
  send(text: string): void;
  close(): void;
}

/** What the outside does for a connection, so that tests can do it themselves. */
export interface Surroundings {
  open(): Socket;
  /** Calls back after this many milliseconds; what it returns calls that off. */
  after(milliseconds: number, call: () => void): () => void;
  /** From 0 to 1. */
  random(): number;
}

/** Who is told. */
export interface Listener {
  /** The status, and when the next attempt is due where it waits. */
  status(status: Status, retryIn: number): void;
  message(message: Message): void;
}

const FIRST_DELAY = 250;
const LAST_DELAY = 15_000;

/** This long without a message, a sign of life is asked for; and this long it may take. */
const QUIET = 45_000;
const SIGN = 10_000;

export class Connection {
  #socket: Socket | undefined;
  #attempt = 0;
  #callOff: () => void = () => undefined;

  constructor(
    private readonly surroundings: Surroundings,
    private readonly listener: Listener,
    /** Sends something that is answered. */
    private readonly ask: () => void,
  ) {}

  /** Connects now, whatever it was waiting for; nothing where it is connected or about to be. */
  connect(): void {
    if (this.#socket) return;
    this.#callOff();
    this.listener.status("connecting", 0);
    const socket = this.surroundings.open();
    this.#socket = socket;
    // A server that takes the connection and says nothing is as good as none.
    this.#callOff = this.surroundings.after(SIGN, () => this.#lose(socket));
    socket.onopen = () => {
      this.#attempt = 0;
      this.#heard(socket);
      this.listener.status("open", 0);
    };
    socket.onmessage = (event) => {
      if (this.#socket !== socket) return;
      this.#heard(socket);
      const message = read(event.data);
      if (message) this.listener.message(message);
    };
    socket.onclose = () => this.#lose(socket);
  }

  /** Sends a command; whether there was somewhere to send it to. */
  send(command: string, mirror = ""): boolean {
    if (!this.#socket) return false;
    try {
      this.#socket.send(JSON.stringify({ cmd: command, uuid: mirror }));
      return true;
    } catch {
      // Not open yet, or not any more.
      return false;
    }
  }

  #heard(socket: Socket): void {
    this.#callOff();
    this.#callOff = this.surroundings.after(QUIET, () => {
      this.#callOff = this.surroundings.after(SIGN, () => this.#lose(socket));
      this.ask();
    });
  }

  #lose(socket: Socket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#callOff();
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    const delay = backoff(this.#attempt, this.surroundings.random());
    this.#attempt += 1;
    this.listener.status("waiting", delay);
    this.#callOff = this.surroundings.after(delay, () => this.connect());
  }
}

/** How long to wait before the attempt of this number: half of it fixed, half by chance. */
export function backoff(attempt: number, random: number): number {
  const full = Math.min(LAST_DELAY, FIRST_DELAY * 2 ** Math.min(attempt, 16));
  return Math.round(full / 2 + (full / 2) * random);
}
