import { expect, test } from "vitest";
import { harmless } from "./paste";

test("what is pasted is text, and can end no paste by itself", () => {
  expect(harmless("echo 'ä'\tx\r\ny\n")).toBe("echo 'ä'\tx\r\ny\n");
  expect(harmless("ls\u001b[201~; rm x\u0003\u009b201~\u007f")).toBe("ls[201~; rm x201~");
});
