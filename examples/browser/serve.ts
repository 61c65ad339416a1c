/** `node examples/browser/serve.ts MODEL.tflite [PORT]` serves the page; with a folder's name in the place of the port it writes the page there, for any web server that gives out files. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { bundleForPage } from '../../tools/browser/bundle.ts';
import { type Files, serve } from '../../tools/browser/serve.ts';

/** All files of the page, by path. */
export async function filesOfExample(model: Uint8Array): Promise<Files> {
  const { code } = await bundleForPage("import './main.ts';", import.meta.dirname, { minify: true });
  const litert = join(dirname(createRequire(import.meta.url).resolve('@litertjs/core')), '..', 'wasm');
  return {
    '/index.html': readFileSync(join(import.meta.dirname, 'index.html'), 'utf8'),
    '/main.js': code,
    '/model.tflite': model,
    ...Object.fromEntries(readdirSync(litert).map((name) => [`/litert/${name}`, readFileSync(join(litert, name))])),
  };
}

if (import.meta.main) {
  const [model, target = '8080'] = process.argv.slice(2);
  if (model === undefined) {
    console.error('error: which model? npx node examples/browser/serve.ts MODEL.tflite [PORT | FOLDER]');
    process.exit(2);
  }
  const files = await filesOfExample(readFileSync(model));
  if (/^\d+$/.test(target)) {
    const { origin } = await serve(files, true, Number(target));
    console.log(`${origin}; Ctrl-C ends it`);
  } else {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(target, path)), { recursive: true });
      writeFileSync(join(target, path), content);
    }
    console.log(`${target}: ${Object.keys(files).length} files, for any web server`);
  }
}
