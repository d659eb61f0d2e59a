import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

const contract = fileURLToPath(new URL("../crates/contract/generated", import.meta.url));

/** Where `npm run dev` finds the server. */
const api = process.env["QBO_API"] ?? "http://127.0.0.1:9601";

const proxied = { target: api, changeOrigin: true, ws: true, headers: { origin: api } };

export default defineConfig({
  plugins: [svelte()],
  resolve: { alias: { $contract: contract } },
  build: {
    // What a browser fetches is a file of the server, never a `data:` address: the page's policy allows nothing else.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    rolldownOptions: {
      output: {
        entryFileNames: "assets/[name]-[hash].js",
        chunkFileNames: "assets/[name]-[hash].js",
        assetFileNames: "assets/[name]-[hash][extname]",
      },
    },
  },
  server: {
    fs: { allow: [".", contract] },
    proxy: {
      // The server lets pages of its own connect alone.
      "/qbo": proxied,
      "/terminal": proxied,
    },
  },
  // Limits of a machine that does other things too.
  test: { include: ["src/**/*.test.ts"], environment: "node", testTimeout: 60_000, hookTimeout: 60_000 },
});
