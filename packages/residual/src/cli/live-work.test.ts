import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interruptedCode } from './interrupt.ts';
import { liveWork } from './live-work.ts';

/** What is written to standard error meanwhile, as on a terminal or a pipe. */
async function written(isTTY: boolean, work: () => Promise<unknown>): Promise<string> {
  const { stderr } = process;
  const [write, before, term] = [stderr.write, stderr.isTTY, process.env.TERM];
  let text = '';
  stderr.isTTY = isTTY;
  process.env.TERM = 'xterm';
  stderr.write = (part: string | Uint8Array) => {
    text += part;
    return true;
  };
  try {
    await work();
  } finally {
    stderr.write = write;
    stderr.isTTY = before;
    if (term === undefined) delete process.env.TERM;
    else process.env.TERM = term;
  }
  return text;
}

test('the first Ctrl-C ends the work as interrupted, and what it used is let go of', async () => {
  const listeners = process.listenerCount('SIGINT');
  let released = 0;
  const code = await liveWork(
    {},
    ({ signal }) => {
      const ended = new Promise<number>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      });
      process.emit('SIGINT');
      return ended;
    },
    () => {
      released++;
    },
  );
  assert.equal(code, interruptedCode);
  assert.equal(released, 1);
  assert.equal(process.listenerCount('SIGINT'), listeners);
});

test('other errors are the caller’s, and what was used is let go of all the same', async () => {
  let released = 0;
  const work = liveWork(
    {},
    async () => {
      throw new Error('broken');
    },
    () => {
      released++;
    },
  );
  await assert.rejects(work, /^Error: broken$/);
  assert.equal(released, 1);
});

test('a line for terminals, a report elsewhere too, and neither where it is quiet', async () => {
  const shown = (isTTY: boolean, quiet: boolean, how: 'show' | 'report') =>
    written(isTTY, () =>
      liveWork(
        { quiet },
        async (live) => {
          live[how]((width) => `half of ${width > 10}`);
          return 0;
        },
        () => {},
      ),
    );
  assert.match(await shown(true, false, 'show'), /half of true/);
  assert.equal(await shown(false, false, 'show'), '');
  assert.equal(await shown(false, false, 'report'), 'half of true\n');
  assert.equal(await shown(true, true, 'report'), '');
});
