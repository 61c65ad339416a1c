/** The live line on a screen that records what is written to it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LiveLine } from './live-line.ts';

function screen(isTTY: boolean) {
  const writes: string[] = [];
  return { writes, isTTY, columns: 60, write: (text: string) => writes.push(text) };
}

test('a terminal is written to at most ten times a second, each time at once and without clearing first', () => {
  const tty = screen(true);
  let now = 0;
  const line = new LiveLine(tty, { now: () => now });
  for (; now < 1000; now += 10) line.update(() => `at ${now}`);
  assert.ok(tty.writes.length >= 9 && tty.writes.length <= 11, String(tty.writes.length));
  for (const write of tty.writes.slice(1)) assert.ok(write.startsWith('\rat ') && write.endsWith('\x1b[K'));
});

test('lines that stay push the live one down, and the cursor comes back at the end', () => {
  const tty = screen(true);
  const line = new LiveLine(tty);
  line.draw('busy');
  line.print('done 1');
  line.clear();
  line.clear();
  assert.deepEqual(tty.writes, ['\x1b[?25l\rbusy\x1b[K', '\rdone 1\x1b[K\nbusy', '\r\x1b[K\x1b[?25h']);
});

test('elsewhere there are plain lines, every few seconds, without any control character', () => {
  const pipe = screen(false);
  let now = 0;
  const line = new LiveLine(pipe, { now: () => now });
  for (; now < 20_000; now += 100) line.update(() => `at ${now}`);
  line.print('end');
  line.clear();
  assert.deepEqual(pipe.writes, ['at 0\n', 'at 5000\n', 'at 10000\n', 'at 15000\n', 'end\n']);
});

test('a line is rendered only when it is shown', () => {
  let rendered = 0;
  const line = new LiveLine(screen(true), { now: () => 0 });
  for (let i = 0; i < 5; i++) line.update(() => `${rendered++}`);
  assert.equal(rendered, 1);
});
