/** `node examples/browser-train/serve.ts [port]`: bundles the page and serves it with the headers that give it threads. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleForPage } from '../../tools/browser/bundle.ts';
import { type Files, ISOLATION, serve } from '../../tools/browser/serve.ts';

export async function filesOfExample(): Promise<Files> {
  const { code } = await bundleForPage("import './train.ts';", import.meta.dirname, { minify: true });
  return { '/index.html': readFileSync(join(import.meta.dirname, 'index.html'), 'utf8'), '/train.js': code };
}

if (import.meta.main) {
  const { origin } = await serve(await filesOfExample(), true, Number(process.argv[2] ?? 8080));
  const headers = Object.entries(ISOLATION).map(([name, value]) => `${name}: ${value}`);
  console.log(`${origin}, with the headers ${headers.join(' and ')}; Ctrl-C ends it`);
}
