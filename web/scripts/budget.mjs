// Adds up what a browser fetches to show the first view, compressed, and fails where that is too much.

import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

const LIMIT = 60_000;
const [directory = "dist"] = process.argv.slice(2);

const page = readFileSync(join(directory, "index.html"), "utf8");
const files = ["index.html", ...Array.from(page.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g), (match) => match[1])];
const size = (file) => statSync(join(directory, `${file}.br`)).size;
const whole = files.reduce((sum, file) => sum + size(file), 0);

for (const file of files) console.log(`${String(size(file)).padStart(7)}  ${file}`);
console.log(`${String(whole).padStart(7)}  of at most ${LIMIT} bytes before terminal and graph are needed`);
if (whole > LIMIT) process.exit(1);
