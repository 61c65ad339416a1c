// The dependency check itself: that each kind of wrong import is found, and that right ones pass.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkFile, type Declared, importsOf } from './check-dependencies.ts';
import { RULES } from './dependency-rules.ts';

const declared: Declared = {
  runtime: new Set(['@tensorflow/tfjs-core', 'tfjs-backend-jit']),
  development: new Set(['@tensorflow/tfjs-core', 'tfjs-backend-jit', 'esbuild']),
};
const check = (path: string, source: string) =>
  checkFile('residual', RULES.residual, declared, path, source).map(({ line, rule }) => `${line}: ${rule}`);

test('every form of import is found, with its line', () => {
  const source = `import a, { type B } from './a.ts';
import type {
  C,
} from "./c.ts";
import './effect.ts';
export * from './d.ts';
export { e } from './e.ts';
// import './comment.ts';
/* import './block.ts'; */
const f = await import('./f.ts');
const url = new URL('./worker.ts', import.meta.url);
const text = 'from x'; const site = 'https://example.org/';
export const g = 'not an import';
`;
  assert.deepEqual(
    importsOf(source).map(({ specifier, line, typeOnly }) => [specifier, line, typeOnly]),
    [
      ['./a.ts', 1, false],
      ['./c.ts', 4, true],
      ['./effect.ts', 5, false],
      ['./d.ts', 6, false],
      ['./e.ts', 7, false],
      ['./f.ts', 10, false],
      ['./worker.ts', 11, false],
    ],
  );
});

test('imports that point down pass', () => {
  assert.deepEqual(
    check(
      'train/loop.ts',
      `import * as tf from '@tensorflow/tfjs-core';
import { readFile } from 'node:fs/promises';
import { flip } from '../augment/flip.ts';
import { save } from './checkpoint.ts';`,
    ),
    [],
  );
  assert.deepEqual(check('cli/main.ts', `import 'tfjs-backend-jit';\nimport { train } from '../train/loop.ts';`), []);
});

test('a lower folder may not import a higher one, except a contract by type', () => {
  assert.match(check('data/folder.ts', `import { train } from '../train/loop.ts';`)[0], /1: 'data' imports 'train/);
  assert.match(check('models/resnet.ts', `\nimport('../cli/main.ts');`)[0], /2: 'models' imports 'cli\/main.ts'/);
  assert.deepEqual(check('data/idx.ts', `import type { ModelInfo } from '../models/info.ts';`), []);
  assert.equal(check('data/idx.ts', `import { ModelInfo } from '../models/info.ts';`).length, 1);
});

test('a file may stand in a layer of its own, apart from its folder', () => {
  assert.deepEqual(check('augment/flip.ts', `import { DataError } from '../data/errors.ts';`), []);
  assert.equal(check('augment/flip.ts', `import { read } from '../data/idx.ts';`).length, 1);
  assert.equal(check('data/errors.ts', `import { read } from './idx.ts';`).length, 1);
});

test('the library may not choose a backend; entry points and tests may', () => {
  const source = `import 'tfjs-backend-jit';`;
  assert.match(check('train/loop.ts', source)[0], /'train' imports 'tfjs-backend-jit'; only cli may/);
  assert.deepEqual(check('cli/train.ts', source), []);
  assert.deepEqual(check('train/loop.test.ts', source), []);
});

test('packages must be declared, and only tests may use development ones', () => {
  assert.match(check('data/a.ts', `import sharp from 'sharp/lib/x';`)[0], /imports 'sharp', which the package.json/);
  assert.equal(check('data/a.ts', `import esbuild from 'esbuild';`).length, 1);
  assert.deepEqual(check('data/a.test.ts', `import esbuild from 'esbuild';`), []);
});

test('no import leaves the sources, uses bare built-ins, test helpers or its own name', () => {
  assert.match(check('data/a.ts', `import x from '../../../bench/main.ts';`)[0], /outside of the package/);
  assert.match(check('data/a.ts', `import fs from 'fs';`)[0], /write 'node:fs'/);
  assert.match(check('data/a.ts', `import { x } from './testing.ts';`)[0], /for tests only/);
  assert.match(check('data/a.ts', `import { x } from 'residual';`)[0], /its own package/);
});

test('a folder without a place in the rules is found', () => {
  assert.match(check('utils/a.ts', '')[0], /'utils' has no place/);
});

test('the backend knows nothing of the library', () => {
  const rules = RULES['tfjs-backend-jit'];
  const found = checkFile('tfjs-backend-jit', rules, declared, 'graph/a.ts', `import { resnet18 } from 'residual';`);
  assert.equal(found.length, 2);
});
