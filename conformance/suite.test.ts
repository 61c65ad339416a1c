// A suite runs to its end even if its specs end or block the process.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runBundle } from './suite.ts';

test('failures, crashes and hangs are told apart, and the specs after them run', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'suite-'));
  try {
    const bundle = join(folder, 'suite.mjs');
    writeFileSync(
      bundle,
      `describe('specs', () => {
        it('passes', () => expect(1).toBe(1));
        it('fails', () => expect(1).toBe(2));
        it('crashes', () => process.exit(7));
        it('hangs', () => { for (;;); });
        xit('is left out', () => {});
        it('passes at last', async () => expect(1).toBe(1));
      });`,
    );
    const { results, errors } = await runBundle(bundle, { silenceMs: 3000 });
    assert.deepEqual(
      results.map(({ name, status }) => [name, status]),
      [
        ['specs passes', 'passed'],
        ['specs fails', 'failed'],
        ['specs crashes', 'failed'],
        ['specs hangs', 'failed'],
        ['specs is left out', 'skipped'],
        ['specs passes at last', 'passed'],
      ],
    );
    assert.match(results[1].messages[0], /Expected 1 to be 2/);
    assert.match(results[2].messages[0], /ended the process: exit code 7/);
    assert.match(results[3].messages[0], /no sign of life for 3 s/);
    assert.deepEqual(errors, []);
    const part = await runBundle(bundle, { filter: 'LAST$' });
    assert.deepEqual(
      part.results.map(({ name }) => name),
      ['specs passes at last'],
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
