// What a page loads stays small, and holds nothing of Node's: a bundle with `node:fs` in it fails here, by its name.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUNDLES, sizeOf } from './size.ts';

/** Minified bytes: half as much again as when it was written. The TF.js umbrella package has 1.5 MB alone. */
const CEILINGS: Readonly<Record<string, number>> = {
  'tfjs-core alone': 420_000,
  'tfjs-backend-jit with tfjs-core': 920_000,
  'a page that trains (residual)': 1_250_000,
  'all of residual for a page': 1_420_000,
};

const EXPECTED = ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-cpu', 'tfjs-backend-jit'];
const WITH_RESIDUAL = [...EXPECTED, 'residual', '@tensorflow/tfjs-layers', 'flatbuffers'];
/** What these bring with them. */
const BELOW = ['long', 'seedrandom', 'node-fetch', 'the page'];

for (const [name, contents] of Object.entries(BUNDLES)) {
  test(`${name} stays below its ceiling and holds only what it must`, async () => {
    const { minified, gzip, brotli, packages } = await sizeOf(contents);
    assert.ok(minified > 10_000 && minified < CEILINGS[name], `${minified} bytes, more than ${CEILINGS[name]}`);
    assert.ok(brotli < gzip && gzip < minified / 2);
    const allowed = new Set([...(name.includes('residual') ? WITH_RESIDUAL : EXPECTED), ...BELOW]);
    assert.deepEqual(
      packages.map(([from]) => from).filter((from) => !allowed.has(from)),
      [],
    );
  });
}
