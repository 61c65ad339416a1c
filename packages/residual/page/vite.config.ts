/** How the page is built: one script and one style, into the server's sources, where they are part of the package.
 *  Addresses are relative, so that the page also works behind a prefix; nothing is inlined, for a strict CSP. */
import { join } from 'node:path';
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: join(import.meta.dirname, '..', 'src', 'serve', 'page', 'dist'),
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    // `npm run page` beside a `residual serve`.
    proxy: { '/v1': process.env.RESIDUAL_SERVER ?? 'http://127.0.0.1:8080' },
  },
});
