/** Starts a compute thread from `workerMain`'s own source text: in Node a worker thread, in a page a worker from a Blob. */
import { builtin, isNode } from '../wasm/features.ts';
import { type Report, type WorkerMessage, workerMain } from './worker.ts';

/** One thread's handle, whichever kind of worker the platform has. */
export interface Spawned {
  post(message: WorkerMessage): void;
  /** Keeps the process alive while the thread computes. */
  hold(busy: boolean): void;
  end(): void;
}

/** What the worker says, and its death, come as reports. */
export function spawn(hear: (report: Report) => void): Spawned {
  return isNode ? inNode(hear) : inPage(hear);
}

const BOOT = `(${workerMain.toString()})`;

function inNode(hear: (report: Report) => void): Spawned {
  const source = `const { parentPort } = require('node:worker_threads');
    ${BOOT}({ post: (m) => parentPort.postMessage(m), listen: (h) => parentPort.on('message', h) });`;
  const { Worker } = builtin('node:worker_threads');
  const worker = new Worker(source, { eval: true, execArgv: [], stdin: false });
  worker.on('message', hear);
  worker.on('error', (error) => hear({ error: String(error) }));
  return {
    post: (message) => worker.postMessage(message),
    hold: (busy) => (busy ? worker.ref() : worker.unref()),
    end: () => void worker.terminate(),
  };
}

function inPage(hear: (report: Report) => void): Spawned {
  const source = `${BOOT}({ post: (m) => postMessage(m), listen: (h) => { onmessage = (e) => h(e.data); } });`;
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const worker = new Worker(url, { name: 'tfjs-backend-jit' });
  worker.onmessage = ({ data }: MessageEvent<Report>) => {
    if ('ready' in data) URL.revokeObjectURL(url);
    hear(data);
  };
  worker.onerror = ({ message }) => hear({ error: message ?? 'its script was not allowed to load' });
  return { post: (message) => worker.postMessage(message), hold: () => {}, end: () => worker.terminate() };
}
