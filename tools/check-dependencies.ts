/**
 * `npm run check:deps`: proves that dependencies point one way, by reading every import of every package.
 * The rules are in `dependency-rules.ts`; a broken one names the file, the line and what would be allowed.
 */
import { globSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, posix } from 'node:path';
import { type PackageRules, RULES } from './dependency-rules.ts';

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** Erased by type stripping: `import type`, `export type`. */
  readonly typeOnly: boolean;
}

export interface Violation {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
}

/** What a package declares in its package.json. */
export interface Declared {
  readonly runtime: ReadonlySet<string>;
  /** Also what tests may import. */
  readonly development: ReadonlySet<string>;
}

const STATEMENT = /^[ \t]*(import|export)\s+(type\s+)?(?:[\w$*\s{},]+?\s+from\s+)?(['"])([^'"\n]+)\3/gm;
const DYNAMIC = /\bimport\(\s*(['"])([^'"\n]+)\1\s*\)/g;
/** How a worker's file is named: it is a dependency as well. */
const RELATIVE_URL = /\bnew URL\(\s*(['"])(\.[^'"\n]+\.[tj]s)\1\s*,\s*import\.meta\.url/g;

/** Finds the imports of a module's text: static, dynamic with a literal, re-exports, and URLs of modules. */
export function importsOf(source: string): readonly Import[] {
  const text = withoutComments(source);
  const lineAt = (index: number) => text.slice(0, index).split('\n').length;
  const found: Import[] = [];
  for (const match of text.matchAll(STATEMENT))
    found.push({
      specifier: match[4],
      line: lineAt(match.index + match[0].length),
      typeOnly: match[2] !== undefined,
    });
  for (const pattern of [DYNAMIC, RELATIVE_URL])
    for (const match of text.matchAll(pattern))
      found.push({ specifier: match[2], line: lineAt(match.index), typeOnly: false });
  return found;
}

/** Blanks comments, keeping the lines; only comments that start a line or follow a space, so that URLs stay whole. */
function withoutComments(source: string): string {
  return source
    .replaceAll(/(^|\s)\/\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, ' '))
    .replaceAll(/(^|\s)\/\/[^\n]*/g, (comment) => comment.replaceAll(/[^\n]/g, ' '));
}

/** True for files that only tests load; they may use any layer and any declared package. */
export function isTestFile(path: string): boolean {
  return /(\.test|(^|\/)testing|\.testing)\.ts$/.test(path) || /(^|\/)(testing|fixtures)\//.test(path);
}

/** Checks one file. `path` is relative to the package's sources, with forward slashes. */
export function checkFile(
  packageName: string,
  rules: PackageRules,
  declared: Declared,
  path: string,
  source: string,
): readonly Violation[] {
  const violations: Violation[] = [];
  const test = isTestFile(path);
  const own = layerOf(path, rules);
  const rank = rules.layers.indexOf(own);
  const report = (line: number, rule: string) => violations.push({ file: posix.join(rules.sources, path), line, rule });
  if (rank < 0 && !test) report(1, `'${own}' has no place in tools/dependency-rules.ts: ${rules.layers.join(' < ')}`);

  for (const { specifier, line, typeOnly } of importsOf(source)) {
    if (specifier.startsWith('.')) {
      const target = posix.normalize(posix.join(posix.dirname(path), specifier));
      if (target.startsWith('..')) {
        if (!test) report(line, `imports '${specifier}', which lies outside of the package's sources`);
        continue;
      }
      if (test) continue;
      if (isTestFile(target)) report(line, `imports '${target}', which is for tests only`);
      const layer = layerOf(target, rules);
      const allowed = layer === own || (typeOnly && rules.contracts.includes(target));
      if (!allowed && rules.layers.indexOf(layer) >= rank)
        report(line, `'${own}' imports '${target}'; it may import only ${below(rules, rank)}`);
      continue;
    }
    if (isBuiltin(specifier)) {
      if (!specifier.startsWith('node:')) report(line, `imports '${specifier}'; write 'node:${specifier}'`);
      continue;
    }
    const name = packageOf(specifier);
    if (name === packageName) {
      report(line, `imports its own package by name ('${specifier}'); use a relative path`);
      continue;
    }
    const known = declared.runtime.has(name) || (test && declared.development.has(name));
    if (!known) report(line, `imports '${name}', which the package.json of ${packageName} does not declare`);
    const allowedIn = Object.hasOwn(rules.restricted, name) ? rules.restricted[name] : undefined;
    if (allowedIn !== undefined && !test && !allowedIn.includes(own))
      report(line, `'${own}' imports '${name}'; only ${allowedIn.join(', ') || 'nobody'} may`);
  }
  return violations;
}

/** The entry of the rules that a file belongs to: itself or the innermost folder that is listed, else its outermost. */
function layerOf(path: string, rules: PackageRules): string {
  const parts = path.split('/');
  const ways = parts.map((_, i) => parts.slice(0, parts.length - i).join('/'));
  return ways.find((way) => rules.layers.includes(way)) ?? parts[0];
}

function below(rules: PackageRules, rank: number): string {
  return rules.layers.slice(0, Math.max(rank, 0)).join(', ') || 'itself';
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

function declaredBy(root: string, sources: string): Declared {
  const read = (path: string) => JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8')) as Manifest;
  const manifest = read(posix.dirname(sources));
  const runtime = new Set(
    [manifest.dependencies, manifest.peerDependencies, manifest.optionalDependencies].flatMap((group) =>
      Object.keys(group ?? {}),
    ),
  );
  const development = [manifest.devDependencies, read('.').devDependencies].flatMap((group) =>
    Object.keys(group ?? {}),
  );
  return { runtime, development: new Set([...runtime, ...development]) };
}

/** Checks every TypeScript file of every package under `root`. */
export function checkRepository(root: string): { readonly files: number; readonly violations: readonly Violation[] } {
  let files = 0;
  const violations: Violation[] = [];
  for (const [name, rules] of Object.entries(RULES)) {
    const declared = declaredBy(root, rules.sources);
    for (const native of globSync('**/*.ts', { cwd: join(root, rules.sources) }).sort()) {
      const path = native.replaceAll('\\', '/');
      files++;
      violations.push(...checkFile(name, rules, declared, path, readFileSync(join(root, rules.sources, path), 'utf8')));
    }
  }
  return { files, violations };
}

if (import.meta.main) {
  const { files, violations } = checkRepository(join(import.meta.dirname, '..'));
  for (const { file, line, rule } of violations) console.error(`${file}:${line}: ${rule}`);
  console.log(`${files} files, ${violations.length} imports that point the wrong way`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
