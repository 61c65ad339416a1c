/** `npm run size`: the bytes that a page loads, minified and compressed, and which packages they come from. */
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { Plugin } from 'esbuild';
import { type Bundle, bundleForPage } from './bundle.ts';

/** What a page may import, smallest first. */
export const BUNDLES: Readonly<Record<string, string>> = {
  'tfjs-core alone': `import * as tf from '@tensorflow/tfjs-core'; globalThis.tf = tf;`,
  'tfjs-backend-jit with tfjs-core': `
    import 'tfjs-backend-jit'; import * as tf from '@tensorflow/tfjs-core'; globalThis.tf = tf;`,
  'a page that trains (residual)': `
    import 'tfjs-backend-jit'; import * as tf from '@tensorflow/tfjs-core';
    import { arrayDataset, resnet18, train } from 'residual';
    globalThis.start = () => tf.setBackend('jit'); Object.assign(globalThis, { arrayDataset, resnet18, train });`,
  'all of residual for a page': `
    import 'tfjs-backend-jit'; import * as tf from '@tensorflow/tfjs-core'; import * as residual from 'residual';
    Object.assign(globalThis, { tf, residual });`,
};

export interface Size {
  readonly minified: number;
  readonly gzip: number;
  readonly brotli: number;
  /** Minified bytes by package, largest first. */
  readonly packages: readonly (readonly [name: string, bytes: number])[];
}

/** A package that is asked for when it is needed, as HDF5 is for a Keras file, is no part of what a page loads. */
const later: Plugin = {
  name: 'later',
  setup({ onResolve }) {
    onResolve({ filter: /^[^.]/ }, ({ kind, path }) =>
      kind === 'dynamic-import' ? { path, external: true } : undefined,
    );
  },
};

export async function sizeOf(contents: string): Promise<Size> {
  const { code, inputs } = await bundleForPage(contents, import.meta.dirname, { minify: true, plugins: [later] });
  const bytes = new TextEncoder().encode(code);
  return {
    minified: bytes.length,
    gzip: gzipSync(bytes, { level: 9 }).length,
    brotli: brotliCompressSync(bytes).length,
    packages: byPackage(inputs),
  };
}

/** `node_modules/@scope/name/dist/a.js` → `@scope/name`; `packages/name/src/a.ts` → `name`. */
function byPackage(inputs: Bundle['inputs']): [string, number][] {
  const sums = new Map<string, number>();
  for (const [file, bytes] of Object.entries(inputs)) {
    const name = /(?:.*node_modules|packages)\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? 'the page';
    sums.set(name, (sums.get(name) ?? 0) + bytes);
  }
  return [...sums].filter(([, bytes]) => bytes > 0).sort((a, b) => b[1] - a[1]);
}

if (import.meta.main) {
  const kb = (bytes: number) => `${(bytes / 1000).toFixed(0)} kB`.padStart(9);
  const widest = Math.max(...Object.keys(BUNDLES).map((name) => name.length));
  console.log(`${''.padEnd(widest)}  minified     gzip   brotli`);
  for (const [name, contents] of Object.entries(BUNDLES)) {
    const { minified, gzip, brotli, packages } = await sizeOf(contents);
    console.log(`${name.padEnd(widest)} ${kb(minified)}${kb(gzip)}${kb(brotli)}`);
    for (const [from, bytes] of packages) console.log(`${kb(bytes).padStart(widest + 10)}  ${from}`);
  }
}
