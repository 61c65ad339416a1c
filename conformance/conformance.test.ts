// The promise to TF.js programs of any kind: what TF.js's own suite passes on cpu, it passes on jit.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);

const WAYS = { 'on jit': [], 'on jit with every program compiled': ['--compiled'] };

for (const [where, options] of Object.entries(WAYS)) {
  test(`every spec that passes on cpu passes ${where} or is listed with its reason`, { timeout: 300_000 }, async () => {
    try {
      await run(process.execPath, [join(import.meta.dirname, 'main.ts'), '--limit', '20', ...options]);
    } catch (error) {
      const { stdout, stderr } = error as { stdout?: string; stderr?: string };
      throw new Error(`npm run test:conformance failed:\n${stdout ?? ''}${stderr ?? error}`);
    }
  });
}
