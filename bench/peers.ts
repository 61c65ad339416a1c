/**
 * The peers of the bench: what each can do, where it is found, and the command that starts it.
 * Nothing here is a dependency; a peer that is not on the machine is left out and said so.
 */
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findChromium, NO_BROWSER } from '../tools/browser/find.ts';
import type { Command } from './child.ts';
import type { Work } from './work.ts';

export const PEERS = ['pytorch', 'onnxruntime', 'chromium', 'tfjs-wasm', 'tfjs-cpu'] as const;

export type PeerName = (typeof PEERS)[number];

/** How to measure a peer that was found. */
export interface Plan {
  readonly command: Command;
  /** The work that it gets: another batch where the full one would take minutes. */
  readonly work: Work;
  /** Set where a step takes seconds or minutes: one step without warm-up, on less than the whole work. */
  readonly shortcut?: Shortcut;
}

export interface Shortcut {
  /** How much of an image's arithmetic the measured image has. */
  readonly share: number;
  /** For people, what was done. */
  readonly note: string;
}

/** Why a peer is left out. */
export interface Absent {
  readonly absent: string;
}

export interface Places {
  /** The Python interpreter to use; without it `python3` of the PATH, then Debian's. */
  readonly python?: string;
  /** A folder from which `onnxruntime-node` resolves; without it this repository. */
  readonly onnxruntime?: string;
}

const run = promisify(execFile);
const script = (name: string) => join(import.meta.dirname, 'peers', name);

/** The command that measures this project's own backend. */
export function ours(work: Work): Command {
  return {
    file: process.execPath,
    args: [script('tfjs.ts'), JSON.stringify(work), 'jit'],
    env: { JIT_THREADS: String(work.threads) },
  };
}

/** The command that measures it in a page of headless Chromium. */
export function oursInPage(work: Work): Command {
  return { file: process.execPath, args: [script('chromium.ts'), JSON.stringify(work)] };
}

/** Looks for a peer that can do the work. */
export async function findPeer(name: PeerName, work: Work, places: Places): Promise<Plan | Absent> {
  switch (name) {
    case 'pytorch':
      return findPyTorch(work, places.python);
    case 'onnxruntime':
      return findOnnxRuntime(work, places.onnxruntime);
    case 'chromium':
      return findChromium() === undefined ? { absent: NO_BROWSER } : { command: oursInPage(work), work };
    case 'tfjs-wasm':
      if (work.mode === 'train') return { absent: 'cannot train: it has no kernel for the filter gradient' };
      return { command: stock(work, 'wasm'), work };
    case 'tfjs-cpu':
      return findCpu(work);
    default:
      return name satisfies never;
  }
}

/** Stock cpu trains about one image of CIFAR's size in 80 s; the time is in proportion to the pixels (within 20 %). */
function findCpu(work: Work): Plan {
  if (work.mode === 'infer') {
    const single = { ...work, batch: 1 };
    return { command: stock(single, 'cpu'), work: single, shortcut: { share: 1, note: 'one image, cold' } };
  }
  const small = { ...work, batch: 1, size: work.size / 4 };
  const note = `estimated from one image of ${small.size}×${small.size}, cold`;
  return { command: stock(small, 'cpu'), work: small, shortcut: { share: 1 / 16, note } };
}

function stock(work: Work, backend: 'cpu' | 'wasm'): Command {
  return { file: process.execPath, args: [script('tfjs.ts'), JSON.stringify(work), backend] };
}

async function findPyTorch(work: Work, python: string | undefined): Promise<Plan | Absent> {
  const candidates = python === undefined ? ['python3', '/usr/bin/python3'] : [python];
  for (const file of candidates) {
    try {
      await run(file, ['-c', 'import torch'], { timeout: 120_000 });
    } catch {
      continue;
    }
    // OpenMP reads its number of threads before torch.set_num_threads can speak, and sizes its pool by it.
    const env = { OMP_NUM_THREADS: String(work.threads), PYTHONWARNINGS: 'ignore' };
    return { command: { file, args: [script('pytorch.py'), JSON.stringify(work)], env }, work };
  }
  return { absent: `no torch in ${candidates.join(' or ')} (--python PATH names another interpreter)` };
}

function findOnnxRuntime(work: Work, folder: string | undefined): Plan | Absent {
  if (work.mode === 'train') return { absent: 'does inference only' };
  const from = join(folder ?? import.meta.dirname, 'package.json');
  try {
    createRequire(from).resolve('onnxruntime-node');
  } catch {
    return { absent: `onnxruntime-node is not installed (bench/README.md says how)` };
  }
  const args = [script('onnxruntime.ts'), JSON.stringify(work), from];
  return { command: { file: process.execPath, args }, work };
}
