// What lies in dist/ is what its sources give: nobody edits one without the other.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { build } from 'vite';
import { readPage } from './page.ts';

test('the page in dist/ is what its sources build, small, and fit for its policy', async () => {
  const root = join(import.meta.dirname, '../../../page');
  const built = await build({
    root,
    configFile: join(root, 'vite.config.ts'),
    logLevel: 'silent',
    build: { write: false },
  });
  assert.ok('output' in built);
  const fresh = new Map(
    built.output.map((file) => {
      const path = file.fileName === 'index.html' ? '/' : `/${file.fileName}`;
      return [path, Buffer.from(file.type === 'chunk' ? file.code : file.source).toString()];
    }),
  );
  const page = await readPage();
  const committed = new Map([...page].map(([path, { body }]) => [path, Buffer.from(body).toString()]));
  // Vite copies what is in public/ by itself.
  assert.ok(committed.delete('/icon.svg'));
  assert.deepEqual(committed, fresh, 'run: npm run build:page');

  const html = committed.get('/') ?? '';
  assert.doesNotMatch(html, /https?:|<script(?![^>]* src=)[^>]*>|<style| style=| on\w+=/);
  const bytes = [...page.values()].reduce((sum, { body }) => sum + body.length, 0);
  assert.ok(bytes < 60_000, `the page has ${bytes} bytes`);
  for (const [path, { headers }] of page) {
    assert.match(headers['Content-Security-Policy'], /^default-src 'none'; script-src 'self'; style-src 'self'; /);
    assert.notEqual(headers['Content-Type'], 'application/octet-stream', path);
    assert.equal(headers['Cache-Control'].includes('immutable'), path.startsWith('/assets/'), path);
  }
});
