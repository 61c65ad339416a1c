// The bench's protocol with a child: turns are answered, notices are skipped, a death is told in one line.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Peer } from './child.ts';

const protocol = new URL('./protocol.ts', import.meta.url).href;
const start = (script: string) =>
  Peer.start('peer', { file: process.execPath, args: ['--input-type=module', '-e', script] });

test('a peer works through whole batches, at least one, and reports its memory', async () => {
  const peer = await start(`
    import { servePeer } from '${protocol}';
    console.log('a notice of some library');
    await servePeer({ version: '1.2', parameters: 3 }, 7, async () => {});`);
  assert.deepEqual(peer.ready, { ready: true, version: '1.2', parameters: 3 });
  const { images, seconds } = await peer.turn(0);
  assert.equal(images, 7);
  assert.ok(seconds >= 0);
  const longer = await peer.turn(0.02);
  assert.equal(longer.images % 7, 0);
  assert.ok(longer.seconds >= 0.02);
  assert.ok(peer.peakBytes > 2 ** 20);
  await peer.end();
});

test('a peer that dies is an error with its last words', async () => {
  await assert.rejects(
    start(`console.error('no such thing'); process.exit(3)`),
    /peer ended with exit code 3: no such/,
  );
  await assert.rejects(Peer.start('peer', { file: '/nonexistent', args: [] }), /peer: .*ENOENT/);
});
