/**
 * `npm run build`: stages what is published, JavaScript with type declarations, into `build/PACKAGE/`.
 * The sources name `.ts` files and Node refuses to strip types inside `node_modules`, so they cannot be published as is.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { extname, join, relative } from 'node:path';

const ROOT = join(import.meta.dirname, '..');

/** In the order of their dependencies: a package is compiled against the declarations of those before it. */
export const PACKAGES = ['tfjs-backend-jit', 'residual'] as const;

/** What the build makes or finds itself, whether a package lists it in `files` or not. */
const OWN_FILES = ['src', 'dist', 'README.md', 'LICENSE'];

/** What a package ships beside its code, such as data that it reads at run time: the rest of its `files`. What lies in
 *  `src`, such as the server's page, goes with the code into `dist`. */
function assetsOf({ files = [] }: Pick<Manifest, 'files'>): readonly string[] {
  return files.filter((file) => !OWN_FILES.includes(file));
}

export interface Manifest {
  readonly name: string;
  readonly version: string;
  /** A file, or files by condition, in order: `{ browser: …, default: … }`. */
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly files?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
}

/**
 * The package.json to publish: exports and commands point into `dist`, workspace packages are pinned to their version,
 * and what only development needs is gone.
 */
export function publishedManifest(
  { devDependencies: _, scripts: __, ...kept }: Manifest,
  versions: Readonly<Record<string, string>>,
): object {
  const target = (file: string) =>
    file.endsWith('.ts') ? { types: compiled(file, '.d.ts'), default: compiled(file, '.js') } : file;
  const exports = mapValues(kept.exports, (entry) =>
    typeof entry === 'string' ? target(entry) : mapValues(entry, target),
  );
  const bin = kept.bin && mapValues(kept.bin, (file) => compiled(file, '.js').slice(2));
  const dependencies = kept.dependencies && mapValues(kept.dependencies, (range, name) => versions[name] ?? range);
  return {
    ...kept,
    exports,
    ...(bin === undefined ? {} : { bin }),
    files: ['dist', ...assetsOf(kept).filter((asset) => !asset.startsWith('src/')), 'README.md', 'LICENSE'],
    ...(dependencies === undefined ? {} : { dependencies }),
  };
}

/** `./src/cli/main.ts` → `./dist/cli/main.js`. */
function compiled(file: string, extension: string): string {
  if (!/^\.\/src\/.*\.ts$/.test(file)) throw new Error(`package.json names ${file}; expected ./src/….ts`);
  return file.replace(/^\.\/src\//, './dist/').replace(/\.ts$/, extension);
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, change: (value: T, key: string) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));
}

/** Builds every package into `out/PACKAGE/`, whatever was there before. */
export function build(out: string): void {
  const manifests = PACKAGES.map(
    (name) => JSON.parse(readFileSync(join(ROOT, 'packages', name, 'package.json'), 'utf8')) as Manifest,
  );
  const versions = Object.fromEntries(manifests.map(({ name, version }) => [name, version]));
  mkdirSync(out, { recursive: true });
  for (const manifest of manifests) stage(out, manifest, versions);
}

function stage(out: string, manifest: Manifest, versions: Readonly<Record<string, string>>): void {
  const source = join(ROOT, 'packages', manifest.name);
  const target = join(out, manifest.name);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  compile(out, manifest.name);

  for (const asset of assetsOf(manifest)) {
    const place = join(target, asset.replace(/^src\//, 'dist/'));
    cpSync(join(source, asset), place, { recursive: true, filter: (path) => extname(path) !== '.ts' });
  }
  const published = publishedManifest(manifest, versions);
  writeFileSync(join(target, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);

  cpSync(join(ROOT, 'LICENSE'), join(target, 'LICENSE'));
  const own = join(source, 'README.md');
  cpSync(existsSync(own) ? own : join(ROOT, 'README.md'), join(target, 'README.md'));

  for (const file of Object.values(manifest.bin ?? {})) {
    const command = join(target, compiled(file, '.js'));
    if (!readFileSync(command, 'utf8').startsWith('#!/usr/bin/env node\n'))
      throw new Error(`${relative(ROOT, join(source, file))} is a command; its first line must be #!/usr/bin/env node`);
    chmodSync(command, 0o755);
  }
}

/** Runs the TypeScript compiler over a package's sources without their tests. */
function compile(out: string, name: string): void {
  const sources = join(ROOT, 'packages', name, 'src');
  const dist = join(out, name, 'dist');
  const earlier = PACKAGES.slice(0, (PACKAGES as readonly string[]).indexOf(name));
  const config = {
    extends: join(ROOT, 'tsconfig.json'),
    compilerOptions: {
      noEmit: false,
      declaration: true,
      rewriteRelativeImportExtensions: true,
      stripInternal: true,
      rootDir: sources,
      outDir: dist,
      typeRoots: [join(ROOT, 'node_modules', '@types')],
      paths: Object.fromEntries(earlier.map((other) => [other, [join(out, other, 'dist', 'index.d.ts')]])),
    },
    include: [sources],
    exclude: ['**/*.test.ts', '**/testing.ts', '**/testing/**'].map((pattern) => join(sources, pattern)),
  };
  const file = join(out, `${name}.tsconfig.json`);
  writeFileSync(file, JSON.stringify(config, null, 2));
  try {
    execFileSync(process.execPath, [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', file], {
      stdio: 'pipe',
      encoding: 'utf8',
    });
  } catch (error) {
    const { stdout } = error as { stdout?: string };
    throw new Error(`${name} does not compile:\n${stdout ?? error}`);
  } finally {
    rmSync(file);
  }
}

if (import.meta.main) {
  const out = join(ROOT, 'build');
  build(out);
  for (const name of PACKAGES) console.log(`built ${relative(process.cwd(), join(out, name)) || '.'}`);
  console.log(`publish with: npm pack|publish ./build/PACKAGE, in the order ${PACKAGES.join(', ')}`);
}
