// Whether asyncapi.yaml is a valid document, without so much as a warning.

import { readFile } from "node:fs/promises";
import { DiagnosticSeverity, Parser } from "@asyncapi/parser";

const file = new URL("../generated/asyncapi.yaml", import.meta.url);
const { document, diagnostics } = await new Parser().parse(await readFile(file, "utf8"));
const wrong = diagnostics.filter(({ severity }) => severity <= DiagnosticSeverity.Warning);
for (const { code, path, message } of wrong) console.error(`${path.join("/")}: ${message} (${code})`);
if (document === undefined || wrong.length > 0) process.exit(1);

const counts = ["send", "receive"].map((action) => {
  const operations = document.operations().all().filter((operation) => operation.action() === action);
  return operations.flatMap((operation) => operation.messages().all()).length;
});
if (counts.some((count) => count === 0)) throw new Error("an operation without messages");
console.log(`asyncapi.yaml: valid, ${counts[0]} messages to send and ${counts[1]} to receive`);
