/** The page's side of `chromium.ts`: `prepare(work)` builds the network, `step()` works through one batch. */
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import type { Work } from '../work.ts';
import { stepOf } from './step.ts';

let work: (() => Promise<void>) | undefined;

async function prepare(given: Work): Promise<number> {
  if (!globalThis.crossOriginIsolated) throw new Error('the page is not cross-origin isolated');
  if (!(await tf.setBackend('jit'))) throw new Error('the backend does not start');
  const { step, parameters } = await stepOf(given);
  work = step;
  return parameters;
}

Object.assign(globalThis, { prepare, step: () => work?.() });
