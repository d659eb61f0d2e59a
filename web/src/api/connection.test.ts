import { expect, test } from "vitest";
import { backoff, Connection, type Socket, type Status } from "./connection";

class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  readonly sent: string[] = [];
  isClosed = false;
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.isClosed = true;
  }
}

function setup() {
  const sockets: FakeSocket[] = [];
  const statuses: Status[] = [];
  const messages: unknown[] = [];
  let timers: { due: number; call: () => void }[] = [];
  let now = 0;
  const pass = (milliseconds: number): void => {
    const end = now + milliseconds;
    for (;;) {
      const next = timers.filter(({ due }) => due <= end).sort((left, right) => left.due - right.due)[0];
      if (!next) break;
      now = next.due;
      timers = timers.filter((timer) => timer !== next);
      next.call();
    }
    now = end;
  };
  const connection = new Connection(
    {
      open: () => {
        const socket = new FakeSocket();
        sockets.push(socket);
        return socket;
      },
      after: (milliseconds, call) => {
        const timer = { due: now + milliseconds, call };
        timers.push(timer);
        return () => (timers = timers.filter((other) => other !== timer));
      },
      random: () => 1,
    },
    { status: (status) => statuses.push(status), message: (message) => messages.push(message) },
    () => connection.send("version", "own"),
  );
  return { connection, sockets, statuses, messages, pass };
}

test("it comes back by itself, later each time, and sooner once it was there", () => {
  const { connection, sockets, statuses, pass } = setup();
  connection.connect();
  sockets[0]?.onclose?.();
  expect(statuses).toEqual(["connecting", "waiting"]);
  pass(249);
  expect(sockets).toHaveLength(1);
  pass(1);
  expect(sockets).toHaveLength(2);
  sockets[1]?.onclose?.();
  pass(499);
  expect(sockets).toHaveLength(2);
  pass(1);
  expect(sockets).toHaveLength(3);
  sockets[2]?.onopen?.();
  sockets[2]?.onclose?.();
  pass(250);
  expect(sockets).toHaveLength(4);
});

test("a server that says nothing is asked, and given up", () => {
  const { connection, sockets, pass } = setup();
  connection.connect();
  const socket = sockets[0];
  socket?.onopen?.();
  pass(45_000);
  expect(socket?.sent).toEqual(['{"cmd":"version","uuid":"own"}']);
  socket?.onmessage?.({ data: '{"code":200,"command_id":"x"}' });
  pass(44_000);
  expect(socket?.isClosed).toBe(false);
  pass(11_000);
  expect(socket?.isClosed).toBe(true);
});

test("one that takes the connection and does not answer is given up too", () => {
  const { connection, sockets, pass } = setup();
  connection.connect();
  pass(10_000);
  expect(sockets[0]?.isClosed).toBe(true);
});

test("what is no message is passed over, and nothing of a socket that was given up is heard", () => {
  const { connection, sockets, messages } = setup();
  connection.connect();
  const socket = sockets[0];
  const hear = socket?.onmessage;
  socket?.onopen?.();
  for (const data of ["", "null", "[]", "{", '{"code":"200"}', 7]) hear?.({ data });
  expect(messages).toEqual([]);
  hear?.({ data: '{"code":200,"command_id":"x"}' });
  expect(messages).toHaveLength(1);
  socket?.onclose?.();
  hear?.({ data: '{"code":200,"command_id":"x"}' });
  expect(messages).toHaveLength(1);
});

test("waiting has a limit, and half of it is chance", () => {
  expect(backoff(0, 0)).toBe(125);
  expect(backoff(0, 1)).toBe(250);
  expect(backoff(50, 0)).toBe(7_500);
  expect(backoff(50, 1)).toBe(15_000);
});
