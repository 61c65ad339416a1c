/**
 * What the platform grants, and an engine on top of it: threads over shared memory in Node and in a page that is
 * cross-origin isolated; elsewhere one thread, the page's own, on memory that nobody shares.
 */
import { builtin, env, isNode, probeFeatures } from '../wasm/features.ts';
import { Engine } from './engine.ts';
import { InlinePool } from './inline-pool.ts';
import { ThreadPool } from './pool.ts';

const PAGES = 65536;

/** Starts an engine on the best that there is. `warn` hears what is missing and how to get it. */
export async function startEngine(warn: (message: string) => void): Promise<Engine> {
  const threads = threadCount();
  const missing = whyNoThreads();
  if (missing === undefined) {
    const memory = createMemory();
    const features = probeFeatures(true, warn); // first: it sets V8's flags
    try {
      return new Engine(memory, features, await ThreadPool.start(memory, threads));
    } catch (error) {
      if (isNode) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      hint(`workers do not start (${reason}); a Content-Security-Policy must allow worker-src blob:`, warn);
    }
  } else hint(missing, warn);
  const memory = createMemory(false);
  return new Engine(memory, probeFeatures(false, warn), new InlinePool(memory));
}

let hinted = false;

/** Once a page: a backend may be started many times. */
function hint(missing: string, warn: (message: string) => void): void {
  if (!hinted) warn(`tfjs-backend-jit runs on one thread: ${missing}`);
  hinted = true;
}

/** What keeps threads from sharing memory, and what would help; undefined where nothing does. */
function whyNoThreads(): string | undefined {
  if (isNode) return undefined;
  const { crossOriginIsolated, isSecureContext } = globalThis;
  if (crossOriginIsolated && typeof SharedArrayBuffer === 'function' && typeof Worker === 'function') return undefined;
  if (crossOriginIsolated) return 'this browser has no SharedArrayBuffer or no workers';
  const secure = isSecureContext ? '' : ', over HTTPS (or from localhost)';
  return (
    'this page is not cross-origin isolated. Serve it with the headers "Cross-Origin-Opener-Policy: same-origin" and ' +
    `"Cross-Origin-Embedder-Policy: require-corp" (or "credentialless")${secure} to use all cores`
  );
}

/** `JIT_THREADS`, or as many as the processor runs at once, at most 16. */
function threadCount(): number {
  const asked = env('JIT_THREADS');
  if (asked !== undefined) {
    const threads = Number(asked);
    if (!Number.isInteger(threads) || threads < 1 || threads > 64) {
      throw new Error(`JIT_THREADS must be a whole number from 1 to 64, and is "${asked}"`);
    }
    return threads;
  }
  const available = isNode ? builtin('node:os').availableParallelism() : globalThis.navigator?.hardwareConcurrency;
  return Math.min(16, Math.max(1, available ?? 1));
}

/** A memory that can grow to 4 GiB, or to the half, a quarter … where a browser will not reserve so much. */
export function createMemory(shared = true): WebAssembly.Memory {
  for (let maximum = PAGES; ; maximum /= 2) {
    try {
      return new WebAssembly.Memory({ initial: 64, maximum, shared });
    } catch (error) {
      if (maximum <= PAGES / 16) throw error;
    }
  }
}
