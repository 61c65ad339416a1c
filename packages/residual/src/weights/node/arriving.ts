/** The bytes of an answer as they arrive. Node's own iterator forgets what it holds when the connection breaks; here the
 *  reader gets every byte that came before it hears of the break, so that a download goes on from there. */

import type { IncomingMessage } from 'node:http';

/** Bytes that may wait for their reader, before the sender is slowed down. */
const MOST_WAITING = 1 << 20;

/**
 * Begins to take the body at once; to be read once.
 *
 * @param heard called for each piece that arrives
 */
export function arriving(response: IncomingMessage, heard: () => void): AsyncIterable<Uint8Array> {
  const queue: Uint8Array[] = [];
  let waiting = 0;
  let end: { readonly error?: unknown } | undefined;
  let wake = () => {};
  const finish = (how: { readonly error?: unknown }) => {
    end ??= how;
    wake();
  };
  response.on('data', (chunk: Uint8Array) => {
    heard();
    queue.push(chunk);
    waiting += chunk.length;
    if (waiting > MOST_WAITING) response.pause();
    wake();
  });
  response.on('end', () => finish({}));
  response.on('error', (error) => finish({ error }));
  response.on('close', () => finish({ error: Object.assign(new Error('closed early'), { code: 'ECONNRESET' }) }));
  return {
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const chunk = queue.shift();
        if (chunk !== undefined) {
          waiting -= chunk.length;
          if (waiting <= MOST_WAITING) response.resume();
          yield chunk;
        } else if (end !== undefined) {
          if ('error' in end) throw end.error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    },
  };
}
