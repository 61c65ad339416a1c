/**
 * TensorFlow.js as a peer of the bench: this project's ResNet18 on the backend that is named, ours or a stock one.
 * Arguments: the work as JSON, and `jit`, `cpu` or `wasm`.
 */
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { servePeer } from '../protocol.ts';
import type { Work } from '../work.ts';
import { stepOf } from './step.ts';

const work = JSON.parse(process.argv[2]) as Work;
const backend = process.argv[3];

if (backend === 'jit') await import('tfjs-backend-jit');
else if (backend === 'cpu') await import('@tensorflow/tfjs-backend-cpu');
else await import('@tensorflow/tfjs-backend-wasm');
if (!(await tf.setBackend(backend))) throw new Error(`the backend '${backend}' does not start`);

const { step, parameters } = await stepOf(work);
const manifest = new URL('../../packages/tfjs-backend-jit/package.json', import.meta.url);
const version =
  backend === 'jit' ? (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version : tf.version_core;
await servePeer({ version, parameters }, work.batch, step);
