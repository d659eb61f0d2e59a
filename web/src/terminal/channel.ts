/**
 * The client of the terminal channel: it opens something, types, takes what is written as fast as that is shown, and takes
 * the session up again when the connection is lost. Nothing of a page is here.
 */

import type { Size, TerminalAnswer, TerminalError, TerminalRequest } from "$contract/qbo";
import type { Wanted } from "./contract";

/** What of WebSocket is used here. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(): void;
}

/** What the outside does for a channel, so that tests can do it themselves. */
export interface Surroundings {
  open(): Socket;
  /** Calls back after this many milliseconds; what it returns calls that off. */
  after(milliseconds: number, call: () => void): () => void;
  /** From 0 to 1. */
  random(): number;
}

export type Status =
  /** It is being opened, for the first time or again. */
  | "connecting"
  | "open"
  /** The connection is lost, and will be tried again. */
  | "waiting"
  /** The program or the session has ended, or could not be opened. */
  | "ended";

/** Who is told. */
export interface Listener {
  status(status: Status): void;
  /** It is open. What it wrote lately comes once more where it was open before: what is shown is to be cleared. */
  opened(session: string, title: string): void;
  /** The program wrote this; `shown` is to be called once it is on the screen. */
  output(bytes: Uint8Array, shown: () => void): void;
  exit(code: number): void;
  failed(error: TerminalError): void;
}

/** Bytes typed that may be under way; the server takes four times as many. */
const TYPED_WINDOW = 64 * 1024;
/** What is typed is sent in pieces of this size at most. */
const PIECE = 16 * 1024;
/** The most that may wait to be typed: a paste larger than this is refused. */
const TYPED_LIMIT = 16 * 1024 * 1024;
/** What was shown is acknowledged in pieces of this size, for the window is many times larger. */
const ACKNOWLEDGED = 32 * 1024;

const FIRST_DELAY = 250;
const LAST_DELAY = 10_000;
/** How long an opening may take: the container of a first shell is made meanwhile. */
const OPENING = 60_000;

const NOT_FOUND = 404;

/** The server's channel of terminals, from a page of its own. */
export function surroundings(): Surroundings {
  return {
    open() {
      const address = new URL("/terminal", location.href);
      address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
      const native = new WebSocket(address);
      native.binaryType = "arraybuffer";
      const socket: Socket = {
        onopen: null,
        onmessage: null,
        onclose: null,
        send: (data) => native.send(data),
        close: () => native.close(),
      };
      native.onopen = () => socket.onopen?.();
      native.onmessage = ({ data }: { data: unknown }) => socket.onmessage?.({ data });
      native.onclose = () => socket.onclose?.();
      return socket;
    },
    after(milliseconds, call) {
      const timer = setTimeout(call, milliseconds);
      return () => clearTimeout(timer);
    },
    random: Math.random,
  };
}

export class Channel {
  #socket: Socket | undefined;
  #status: Status = "connecting";
  #session: string | undefined;
  /** Whether this page has seen the session open. */
  #wasOpen = false;
  #attempt = 0;
  #callOff: () => void = () => undefined;
  /** Waits to be typed. */
  #typed: Uint8Array<ArrayBuffer>[] = [];
  #waiting = 0;
  /** Was typed, and not acknowledged yet. */
  #underWay = 0;
  /** Was shown, and not acknowledged yet. */
  #shown = 0;

  constructor(
    private readonly surroundings: Surroundings,
    private readonly wanted: Wanted,
    private size: Size,
    private readonly listener: Listener,
  ) {
    this.#session = wanted.session;
  }

  /** Opens it, or tries again at once; nothing where it is open or about to be. */
  connect(): void {
    if (this.#socket) return;
    this.#callOff();
    this.#set("connecting");
    const socket = this.surroundings.open();
    this.#socket = socket;
    this.#underWay = 0;
    this.#shown = 0;
    this.#callOff = this.surroundings.after(OPENING, () => this.#lose(socket));
    socket.onopen = () => {
      const { session: _, ...wanted } = this.wanted;
      const session = this.#session === undefined ? {} : { session: this.#session };
      this.#say(socket, { open: { ...wanted, ...session, columns: this.size.columns, rows: this.size.rows } });
    };
    socket.onmessage = ({ data }) => {
      if (this.#socket !== socket) return;
      if (data instanceof ArrayBuffer) this.#output(socket, new Uint8Array(data));
      else this.#hear(socket, data);
    };
    socket.onclose = () => this.#lose(socket);
  }

  /** Opens the same anew, once it has ended. */
  reopen(): void {
    if (this.#status !== "ended") return;
    this.#session = undefined;
    this.#wasOpen = false;
    this.#typed = [];
    this.#waiting = 0;
    this.connect();
  }

  /** Types; whether that is taken. */
  type(bytes: Uint8Array<ArrayBuffer>): boolean {
    if (this.#status === "ended" || this.#waiting + bytes.length > TYPED_LIMIT) return false;
    for (let start = 0; start < bytes.length; start += PIECE) this.#typed.push(bytes.slice(start, start + PIECE));
    this.#waiting += bytes.length;
    this.#pump();
    return true;
  }

  resize(size: Size): void {
    if (size.columns === this.size.columns && size.rows === this.size.rows) return;
    this.size = size;
    if (this.#socket && this.#status === "open") this.#say(this.#socket, { resize: size });
  }

  /** Ends the session. */
  close(): void {
    if (this.#socket && this.#status === "open") this.#say(this.#socket, { close: {} });
    this.leave();
  }

  /** Looks no longer; the session goes on for a while. */
  leave(): void {
    this.#callOff();
    const socket = this.#socket;
    this.#socket = undefined;
    this.#set("ended");
    socket?.close();
  }

  #hear(socket: Socket, data: unknown): void {
    const answer = read(data);
    if (!answer) return;
    if ("opened" in answer) {
      this.#callOff();
      this.#attempt = 0;
      this.#session = answer.opened.session;
      this.#wasOpen = true;
      this.#set("open");
      this.listener.opened(answer.opened.session, answer.opened.title);
      this.#pump();
    } else if ("acknowledge" in answer) {
      this.#underWay = Math.max(0, this.#underWay - answer.acknowledge);
      this.#pump();
    } else if ("exit" in answer) {
      this.#end(socket);
      this.listener.exit(answer.exit.code);
    } else if (answer.error.code === NOT_FOUND && this.#session !== undefined && !this.#wasOpen) {
      // It was open before the page was loaded, and has ended meanwhile: a new one takes its place.
      this.#session = undefined;
      this.#end(socket);
      this.connect();
    } else {
      this.#end(socket);
      this.listener.failed(answer.error);
    }
  }

  #output(socket: Socket, bytes: Uint8Array): void {
    this.listener.output(bytes, () => {
      if (this.#socket !== socket) return;
      this.#shown += bytes.length;
      if (this.#shown < ACKNOWLEDGED) return;
      this.#say(socket, { acknowledge: this.#shown });
      this.#shown = 0;
    });
  }

  #pump(): void {
    while (this.#socket && this.#status === "open" && this.#underWay < TYPED_WINDOW) {
      const piece = this.#typed.shift();
      if (!piece) return;
      this.#waiting -= piece.length;
      this.#underWay += piece.length;
      this.#socket.send(piece);
    }
  }

  #lose(socket: Socket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#callOff();
    socket.close();
    const longest = Math.min(LAST_DELAY, FIRST_DELAY * 2 ** this.#attempt++);
    this.#callOff = this.surroundings.after(longest * (0.5 + this.surroundings.random() / 2), () => this.connect());
    this.#set("waiting");
  }

  #end(socket: Socket): void {
    this.#callOff();
    this.#socket = undefined;
    this.#set("ended");
    socket.close();
  }

  #say(socket: Socket, request: TerminalRequest): void {
    socket.send(JSON.stringify(request));
  }

  #set(status: Status): void {
    if (this.#status === status) return;
    this.#status = status;
    this.listener.status(status);
  }
}

/** Ends a session that nobody here looks at. */
export function end(surroundings: Surroundings, wanted: Wanted & { readonly session: string }): void {
  const channel: Channel = new Channel(
    surroundings,
    wanted,
    { columns: 80, rows: 24 },
    {
      status: () => undefined,
      opened: () => channel.close(),
      output: (_, shown) => shown(),
      exit: () => undefined,
      failed: () => undefined,
    },
  );
  channel.connect();
}

/** An answer, where it is one. */
function read(data: unknown): TerminalAnswer | undefined {
  if (typeof data !== "string") return undefined;
  try {
    const answer: unknown = JSON.parse(data);
    return isAnswer(answer) ? answer : undefined;
  } catch {
    return undefined;
  }
}

function isAnswer(value: unknown): value is TerminalAnswer {
  const isObject = (part: unknown): part is object => typeof part === "object" && part !== null;
  if (!isObject(value)) return false;
  if ("acknowledge" in value) return typeof value.acknowledge === "number";
  if ("opened" in value) return isObject(value.opened) && "session" in value.opened && "title" in value.opened;
  if ("exit" in value) return isObject(value.exit) && "code" in value.exit && typeof value.exit.code === "number";
  return "error" in value && isObject(value.error) && "code" in value.error && "problem" in value.error;
}
