// What users get: the packed tarballs, installed into an empty folder, train a network there.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { build, type Manifest, PACKAGES, publishedManifest } from './build.ts';

const ROOT = join(import.meta.dirname, '..');
const MODULES = join(ROOT, 'node_modules');
const folder = mkdtempSync(join(tmpdir(), 'pack-'));
const installed = join(folder, 'user');

/** The environment without what an outer `npm test` says to npm and to the test runner, and with this Node first. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_TEST_CONTEXT$|NODE_OPTIONS$)/i.test(name));
  return { ...Object.fromEntries(kept), PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}` };
}

function run(cwd: string, file: string, ...args: string[]): string {
  try {
    return execFileSync(file, args, { cwd, env: cleanEnvironment(), encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${file} ${args.join(' ')} failed:\n${stdout ?? ''}${stderr ?? error}`);
  }
}

function npm(cwd: string, ...args: string[]): string {
  const own = process.env.npm_execpath;
  return own?.endsWith('.js') ? run(cwd, process.execPath, own, ...args) : run(cwd, 'npm', ...args);
}

/** Copies a package of the registry and all that it needs from this repository, so that npm need not fetch it. */
function provide(name: string, optional: boolean, seen: Set<string>): void {
  const from = join(MODULES, name);
  if (seen.has(name) || (optional && !existsSync(from))) return;
  seen.add(name);
  cpSync(from, join(installed, 'node_modules', name), { recursive: true });
  const manifest = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8')) as {
    readonly bin?: string | Readonly<Record<string, string>>;
    readonly dependencies?: Readonly<Record<string, string>>;
    readonly peerDependencies?: Readonly<Record<string, string>>;
    readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
    readonly optionalDependencies?: Readonly<Record<string, string>>;
  };
  const { bin = {} } = manifest;
  for (const command of typeof bin === 'string' ? [name] : Object.keys(bin)) {
    const link = join('.bin', command);
    cpSync(join(MODULES, link), join(installed, 'node_modules', link), { verbatimSymlinks: true });
  }
  for (const next of Object.keys(manifest.dependencies ?? {}))
    provide(next, next in (manifest.optionalDependencies ?? {}), seen);
  for (const next of Object.keys(manifest.optionalDependencies ?? {})) provide(next, true, seen);
  for (const next of Object.keys(manifest.peerDependencies ?? {}))
    provide(next, manifest.peerDependenciesMeta?.[next]?.optional ?? false, seen);
}

before(() => {
  build(join(folder, 'build'));
  const tarballs = PACKAGES.map((name) => {
    const [file] = npm(folder, 'pack', '--silent', join(folder, 'build', name))
      .trim()
      .split('\n')
      .slice(-1);
    return join(folder, file);
  });
  mkdirSync(join(installed, 'node_modules', '.bin'), { recursive: true });
  writeFileSync(join(installed, 'package.json'), '{ "private": true, "type": "module" }');
  const seen = new Set<string>(PACKAGES);
  for (const name of PACKAGES) {
    const manifest = JSON.parse(readFileSync(join(folder, 'build', name, 'package.json'), 'utf8')) as Manifest;
    for (const dependency of Object.keys(manifest.dependencies ?? {})) provide(dependency, false, seen);
  }
  npm(installed, 'install', '--offline', '--cache', join(folder, 'cache'), '--no-audit', '--no-fund', ...tarballs);
});

after(() => rmSync(folder, { recursive: true, force: true }));

test('a tiny ResNet18 learns for one step from the installed packages', () => {
  writeFileSync(
    join(installed, 'step.js'),
    `import * as tf from '@tensorflow/tfjs-core';
import { resnet18 } from 'residual';
import 'tfjs-backend-jit';

await tf.setBackend('jit');
const model = resnet18({ inputShape: [8, 8, 3], classes: 2, width: 8 });
model.compile({ optimizer: tf.train.momentum(0.1, 0.9), loss: 'categoricalCrossentropy' });
const images = tf.randomNormal([4, 8, 8, 3], 0, 1, 'float32', 1);
const labels = tf.tensor2d([[1, 0], [0, 1], [1, 0], [0, 1]]);
const before = await model.getWeights()[0].data();
const loss = await model.trainOnBatch(images, labels);
const after = await model.getWeights()[0].data();
console.log(JSON.stringify({ backend: tf.getBackend(), loss, moved: before.some((x, i) => x !== after[i]) }));
`,
  );
  const { backend, loss, moved } = JSON.parse(run(installed, process.execPath, 'step.js')) as Record<string, unknown>;
  assert.equal(backend, 'jit');
  assert.ok(typeof loss === 'number' && loss > 0 && loss < 10, `loss ${loss}`);
  assert.equal(moved, true);
});

test('the command is there, and runs', () => {
  assert.match(run(installed, join('node_modules', '.bin', 'residual'), '--help'), /residual train/);
});

test('the type declarations stand by themselves', () => {
  writeFileSync(
    join(installed, 'user.ts'),
    `import { resnet18 } from 'residual';
import 'tfjs-backend-jit';
const parameters: number = resnet18({ inputShape: [32, 32, 3], classes: 10 }).countParams();
console.log(parameters);
// @ts-expect-error: the declarations are not any
resnet18({ inputShape: 'large', classes: 10 });
`,
  );
  run(
    installed,
    process.execPath,
    join(MODULES, 'typescript', 'bin', 'tsc'),
    ...['--noEmit', '--strict', '--target', 'es2024', '--module', 'nodenext', '--skipLibCheck', 'user.ts'],
  );
});

test('the tarballs hold code, declarations, data and licence, and neither sources nor tests', () => {
  for (const name of PACKAGES) {
    const files = readdirSync(join(installed, 'node_modules', name), { recursive: true, encoding: 'utf8' });
    for (const needed of ['package.json', 'README.md', 'LICENSE', join('dist', 'index.js'), join('dist', 'index.d.ts')])
      assert.ok(files.includes(needed), `${name} lacks ${needed}`);
    const unwanted = files.filter((file) => /(?<!\.d)\.ts$|\.test\.|(^|[/\\])testing\./.test(file));
    assert.deepEqual(unwanted, [], `${name} ships what only development needs`);
  }
  const page = join(installed, 'node_modules', 'residual', 'dist', 'serve', 'page', 'dist');
  assert.ok(existsSync(join(page, 'index.html')), "residual lacks its server's page");
  const embedded = join(installed, 'node_modules', 'residual', 'data', 'fashion-mnist');
  assert.ok(existsSync(join(embedded, 'train-images-idx3-ubyte.gz')), 'residual lacks its embedded data set');
});

test('the manifest points into dist, pins the workspace and drops development', () => {
  const manifest = {
    name: 'residual',
    version: '2.0.0',
    exports: { '.': { browser: './src/browser.ts', default: './src/index.ts' }, './b': './src/b.ts' },
    bin: { residual: './src/cli/main.ts' },
    files: ['src', 'src/serve/page/dist', 'data/digits'],
    dependencies: { sharp: '^1.0.0', 'tfjs-backend-jit': '*' },
    devDependencies: { esbuild: '1.0.0' },
    scripts: { test: 'node --test' },
  };
  assert.deepEqual(publishedManifest(manifest, { 'tfjs-backend-jit': '0.3.0' }), {
    name: 'residual',
    version: '2.0.0',
    exports: {
      '.': {
        browser: { types: './dist/browser.d.ts', default: './dist/browser.js' },
        default: { types: './dist/index.d.ts', default: './dist/index.js' },
      },
      './b': { types: './dist/b.d.ts', default: './dist/b.js' },
    },
    bin: { residual: 'dist/cli/main.js' },
    files: ['dist', 'data/digits', 'README.md', 'LICENSE'],
    dependencies: { sharp: '^1.0.0', 'tfjs-backend-jit': '0.3.0' },
  });
  assert.throws(() => publishedManifest({ ...manifest, exports: { '.': './lib/a.ts' } }, {}), /expected \.\/src/);
});
