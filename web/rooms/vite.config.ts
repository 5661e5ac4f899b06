import { defineConfig } from "vite";

// The server puts its base path into <base>, so every address in the page is relative to it.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../../src/headgate/web/rooms",
    emptyOutDir: true,
    // The server lets these be kept for ever: their names say what is in them.
    assetsDir: "static/rooms",
    // `default-src 'self'` forbids data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
});
