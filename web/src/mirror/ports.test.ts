import { expect, test } from "vitest";
import { portOf } from "./ports";

test("ports are read as clusters tell them", () => {
  expect(portOf("8080:30080/tcp")).toEqual({ name: "8080/tcp", listen: "", host: 8080, node: 30080, protocol: "tcp" });
  expect(portOf("127.0.0.1:5353:30053/udp")).toMatchObject({ name: "5353/udp", listen: "127.0.0.1", host: 5353 });
  expect(portOf("[::1]:1:65535/sctp")).toMatchObject({ name: "1/sctp", listen: "[::1]", node: 65535 });
});
