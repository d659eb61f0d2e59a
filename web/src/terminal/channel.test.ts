import { expect, test } from "vitest";
import { Channel, end, type Listener, type Socket, type Surroundings } from "./channel";
import type { Wanted } from "./contract";

const SESSION = "66fac858-a271-49cf-bad0-fdd9ff0b4787";

class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  readonly sent: (string | Uint8Array)[] = [];
  isClosed = false;

  send(data: string | Uint8Array): void {
    this.sent.push(data);
  }
  close(): void {
    this.isClosed = true;
  }
  says(answer: object): void {
    this.onmessage?.({ data: JSON.stringify(answer) });
  }
  writes(length: number): void {
    this.onmessage?.({ data: new ArrayBuffer(length) });
  }
  /** Text frames. */
  get said(): unknown[] {
    return this.sent.filter((data) => typeof data === "string").map((data) => JSON.parse(data));
  }
  /** Lengths of binary frames. */
  get typed(): number[] {
    return this.sent.filter((data) => typeof data !== "string").map((data) => data.length);
  }
}

function scene(wanted: Wanted = { kind: "shell" }, acknowledges = true) {
  const sockets: FakeSocket[] = [];
  const timers: { milliseconds: number; call: () => void; isOff: boolean }[] = [];
  const told: string[] = [];
  const surroundings: Surroundings = {
    open() {
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket;
    },
    after(milliseconds, call) {
      const timer = { milliseconds, call, isOff: false };
      timers.push(timer);
      return () => (timer.isOff = true);
    },
    random: () => 1,
  };
  const listener: Listener = {
    status: (status) => told.push(status),
    opened: (session, title) => told.push(`opened ${session.slice(0, 8)} ${title}`),
    output: (bytes, shown) => {
      told.push(`output ${bytes.length}`);
      if (acknowledges) shown();
    },
    exit: (code) => told.push(`exit ${code}`),
    failed: (error) => told.push(`failed ${error.code}`),
  };
  const channel = new Channel(surroundings, wanted, { columns: 80, rows: 24 }, listener);
  const last = () => sockets.at(-1) as FakeSocket;
  return {
    surroundings,
    channel,
    sockets,
    told,
    last,
    open() {
      last().onopen?.();
      last().says({ opened: { session: SESSION, title: "shell" } });
    },
    /** Lets the time of the last timer come. */
    wait() {
      const timer = timers.filter((timer) => !timer.isOff).at(-1);
      if (timer) timer.isOff = true;
      timer?.call();
      return timer?.milliseconds;
    },
  };
}

test("it opens what is wanted in a window of the right size", () => {
  const { channel, last, told, open } = scene({ kind: "pod", pod: "web-0", cluster: "alex" });
  channel.resize({ columns: 100, rows: 30 });
  channel.connect();
  expect(last().sent).toEqual([]);
  open();
  expect(last().said).toEqual([{ open: { kind: "pod", pod: "web-0", cluster: "alex", columns: 100, rows: 30 } }]);
  channel.resize({ columns: 100, rows: 30 });
  channel.resize({ columns: 120, rows: 40 });
  expect(last().said.slice(1)).toEqual([{ resize: { columns: 120, rows: 40 } }]);
  expect(told).toEqual(["open", "opened 66fac858 shell"]);
});

test("what is shown is acknowledged, and not before", () => {
  const shown = scene();
  shown.channel.connect();
  shown.open();
  shown.last().writes(20_000);
  expect(shown.last().said).toHaveLength(1);
  shown.last().writes(20_000);
  expect(shown.last().said.at(-1)).toEqual({ acknowledge: 40_000 });

  const hidden = scene({ kind: "shell" }, false);
  hidden.channel.connect();
  hidden.open();
  hidden.last().writes(100_000);
  expect(hidden.last().said).toHaveLength(1);
});

test("a large paste goes in pieces, no more than the program takes", () => {
  const { channel, last, open } = scene();
  expect(channel.type(new Uint8Array(100_000))).toBe(true);
  channel.connect();
  open();
  expect(last().typed).toEqual([16_384, 16_384, 16_384, 16_384]);
  last().says({ acknowledge: 16_384 });
  expect(last().typed).toHaveLength(5);
  last().says({ acknowledge: 65_536 });
  expect(last().typed.reduce((sum, length) => sum + length, 0)).toBe(100_000);
  expect(channel.type(new Uint8Array(17 * 1024 * 1024))).toBe(false);
});

test("a lost connection takes the session up again, ever more slowly", () => {
  const { channel, sockets, last, told, open, wait } = scene();
  channel.connect();
  open();
  last().onclose?.();
  expect(wait()).toBe(250);
  last().onclose?.();
  expect(wait()).toBe(500);
  expect(sockets).toHaveLength(3);
  open();
  expect(last().said[0]).toMatchObject({ open: { kind: "shell", session: SESSION } });
  expect(told).toEqual([
    "open",
    "opened 66fac858 shell",
    "waiting",
    "connecting",
    "waiting",
    "connecting",
    "open",
    "opened 66fac858 shell",
  ]);
  // Frames of a connection that was given up are nobody's.
  sockets[0]?.writes(10);
  expect(told).toHaveLength(8);
});

test("a session that ended while the page was away is opened anew", () => {
  const { channel, last, told, open, sockets } = scene({ kind: "node", node: "node-1", session: SESSION });
  channel.connect();
  last().onopen?.();
  expect(last().said[0]).toMatchObject({ open: { session: SESSION } });
  last().says({ error: { code: 404, problem: "it has ended", cure: "" } });
  expect(sockets).toHaveLength(2);
  open();
  expect(last().said[0]).toEqual({ open: { kind: "node", node: "node-1", columns: 80, rows: 24 } });
  expect(told.at(-1)).toBe("opened 66fac858 shell");
});

test("an end is an end, until it is opened again", () => {
  const { channel, sockets, last, told, open, wait } = scene();
  channel.connect();
  open();
  last().says({ exit: { code: 130 } });
  last().onclose?.();
  expect(last().isClosed).toBe(true);
  expect(wait()).toBeUndefined();
  expect(channel.type(new Uint8Array(1))).toBe(false);
  channel.reopen();
  expect(sockets).toHaveLength(2);
  last().onopen?.();
  last().says({ error: { code: 404, problem: "no image", cure: "build it" } });
  expect(told.slice(-4)).toEqual(["exit 130", "connecting", "ended", "failed 404"]);
  expect(sockets).toHaveLength(2);
});

test("closing ends the session, leaving does not", () => {
  const closed = scene();
  closed.channel.connect();
  closed.open();
  closed.channel.close();
  expect(closed.last().said.at(-1)).toEqual({ close: {} });
  const left = scene();
  left.channel.connect();
  left.open();
  left.channel.leave();
  expect(left.last().said).toHaveLength(1);
  expect(left.last().isClosed).toBe(true);
});

test("a session that nobody sees is ended", () => {
  const { surroundings, last, open } = scene();
  end(surroundings, { kind: "shell", session: SESSION });
  open();
  expect(last().said).toEqual([{ open: { kind: "shell", session: SESSION, columns: 80, rows: 24 } }, { close: {} }]);
});

test("what is no answer is not read", () => {
  const { channel, last, told, open } = scene();
  channel.connect();
  open();
  const before = told.length;
  for (const data of ["", "[]", "null", "{}", '{"exit": 1}', '{"acknowledge": "1"}', 7]) last().onmessage?.({ data });
  expect(told).toHaveLength(before);
});
