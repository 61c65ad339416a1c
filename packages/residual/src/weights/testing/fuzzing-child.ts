/** The process in which fuzzing.ts lets a reader run: it makes the mutants, reads each, and judges what comes of it.
 *  Node's permissions forbid it to write, to use the network and to start anything. */

import { Random } from '../../data/random.ts';
import { WeightsError } from '../errors.ts';
import type { WeightReader } from '../reader.ts';
import { memorySiblings } from '../reader.ts';
import { bytesSource } from '../source.ts';
import type { FuzzJob, FuzzReport } from './fuzzing.ts';
import { type FuzzCase, mutate } from './mutations.ts';

const MB = 2 ** 20;
/** Beyond the size of the files. */
const MEMORY = 256 * MB;
/** Of processor time. */
const SECONDS = 2;

/** What a single array may take, in bytes; the guards below enforce it. */
let largest = MEMORY;

/** Pages that nobody touches are in no count of the system's, so each array is asked for its size as it is made. */
function guardArrays(): void {
  const makers = [
    Uint8Array,
    Int8Array,
    Uint16Array,
    Int16Array,
    Uint32Array,
    Int32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
    ArrayBuffer,
  ] as const;
  for (const maker of makers) {
    const width = 'BYTES_PER_ELEMENT' in maker ? maker.BYTES_PER_ELEMENT : 1;
    const guarded = new Proxy(maker, {
      construct(target, args, newTarget) {
        const [length] = args;
        if (typeof length === 'number' && length * width > largest)
          throw new Error(`an array of ${length * width} bytes`);
        return Reflect.construct(target, args, newTarget) as object;
      },
    });
    Object.defineProperty(globalThis, maker.name, { value: guarded });
  }
}

const tell = (report: FuzzReport) => process.send?.(report);

/** The message of the error that the reader gave; undefined where it read the file. */
async function readAll(reader: WeightReader, { main, files }: FuzzCase): Promise<string | undefined> {
  const size = Object.values(files).reduce((sum, { length }) => sum + length, 0);
  largest = size + MEMORY;
  try {
    const file = await reader(bytesSource(files[main] ?? new Uint8Array(), main), memorySiblings(files));
    try {
      const names = new Set<string>();
      for (const tensor of file.tensors) {
        if (names.has(tensor.name)) throw new Error(`two tensors are named ${JSON.stringify(tensor.name)}`);
        names.add(tensor.name);
      }
      for (const tensor of file.tensors) {
        const { name, shape } = tensor;
        const values = await tensor.read().catch((error: unknown) => {
          if (error instanceof WeightsError) return undefined;
          throw error;
        });
        const count = shape.reduce((product, length) => product * length, 1);
        if (values && values.length !== count) {
          throw new Error(`${JSON.stringify(name)} of shape [${shape}] gives ${values.length} values`);
        }
        if (process.memoryUsage().arrayBuffers > 2 * largest) globalThis.gc?.();
      }
      // Once more, for the error if there is one: what is damaged stays so, and one tensor must not spoil the others.
      for (const tensor of file.tensors) await tensor.read();
    } finally {
      await file.close();
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error;
    if (error.message === '' || error.message.length > 600 || /\p{Cc}/u.test(error.message)) {
      throw new Error(`the message is not one clear line: ${JSON.stringify(error.message)}`);
    }
    return error.message;
  }
}

async function run({ module, reader, valid, hostile = [], count = 2000, seed = 1, only }: FuzzJob): Promise<void> {
  const { [reader]: read }: Record<string, WeightReader> = await import(module);
  let accepted = 0;
  let refused = 0;
  const messages: Record<string, number> = {};
  let memory = Number.POSITIVE_INFINITY;

  const judge = async (example: FuzzCase): Promise<string | undefined> => {
    const before = process.cpuUsage();
    const message = await readAll(read, example);
    const { user, system } = process.cpuUsage(before);
    const seconds = (user + system) / 1e6;
    if (seconds > SECONDS) throw new Error(`took ${seconds.toFixed(1)} s of processor time`);
    const peak = process.resourceUsage().maxRSS * 1024;
    if (peak > memory) throw new Error(`held ${((peak - memory + MEMORY) / MB).toFixed(0)} MB`);
    if (message === undefined) accepted++;
    else {
      refused++;
      const kind = message.replace(/"(?:[^"\\]|\\.)*"/g, '"…"').replace(/\d+/g, '#');
      messages[kind] = (messages[kind] ?? 0) + 1;
    }
    return message;
  };
  const expect = async (example: FuzzCase, check: (message: string | undefined) => string | undefined) => {
    try {
      const wrong = check(await judge(example));
      if (wrong !== undefined) throw new Error(wrong);
    } catch (error) {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      tell({ kind: 'failed', label: example.label, reason });
      throw new Error('failed');
    }
  };

  for (const example of valid) {
    await expect(example, (message) => message && `a valid file was refused: ${message}`);
  }
  globalThis.gc?.();
  const sizes = valid.map(({ files }) => Object.values(files).reduce((sum, { length }) => sum + length, 0));
  memory = process.resourceUsage().maxRSS * 1024 + MEMORY + Math.max(...sizes);

  for (const example of hostile) {
    await expect(example, (message) => (message === undefined ? 'a hostile file was read' : undefined));
  }
  const first = only ?? 0;
  for (let i = first; i < (only === undefined ? count : only + 1); i++) {
    const mutant = mutate(valid, Random.at(seed, 0xf022, i));
    const label = `mutant ${i} (${mutant.label})`;
    if (only !== undefined || i % 5 === 0) tell({ kind: 'at', label: `mutant ${i} or one of the 5 from there` });
    await expect({ ...mutant, label }, () => undefined);
    if (i % 50 === 49) globalThis.gc?.();
  }
  tell({ kind: 'done', result: { accepted, refused, messages } });
}

guardArrays();
process.on('unhandledRejection', (error) => {
  tell({ kind: 'failed', label: 'a promise that nobody awaits', reason: String((error as Error)?.stack ?? error) });
});
process.once('message', (job: FuzzJob) => {
  run(job).catch((error: unknown) => {
    if (!(error instanceof Error && error.message === 'failed')) {
      tell({ kind: 'failed', label: 'the harness', reason: String((error as Error)?.stack ?? error) });
    }
  });
});
