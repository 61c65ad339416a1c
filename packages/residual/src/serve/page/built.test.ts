// What lies in dist/ is what its sources give: nobody edits one without the other.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { build } from 'vite';

const dist = join(import.meta.dirname, 'dist');
const sources = join(import.meta.dirname, '../../../page');

test('the page in dist/ is what its sources build, small, and fit for its policy', async () => {
  const configFile = join(sources, 'vite.config.ts');
  const built = await build({ root: sources, configFile, logLevel: 'silent', build: { write: false } });
  assert.ok('output' in built);
  const fresh = new Map(
    built.output.map((file) => [
      file.fileName,
      Buffer.from(file.type === 'chunk' ? file.code : file.source).toString(),
    ]),
  );
  // Vite copies what is in public/ only when it writes.
  fresh.set('icon.svg', readFileSync(join(sources, 'public', 'icon.svg'), 'utf8'));
  const files = readdirSync(dist, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const committed = new Map(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [path.slice(dist.length + 1).replaceAll('\\', '/'), readFileSync(path, 'utf8')];
    }),
  );
  const sorted = (map: ReadonlyMap<string, string>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  assert.deepEqual(sorted(committed), sorted(fresh), 'run: npm run build:page');

  const html = committed.get('index.html') ?? '';
  assert.doesNotMatch(html, /https?:|<script(?![^>]* src=)[^>]*>|<style| style=| on\w+=/);
  const bytes = [...committed.values()].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  assert.ok(bytes < 60_000, `the page has ${bytes} bytes`);
});
