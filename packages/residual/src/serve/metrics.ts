/** What an operator watches, in Prometheus's text format. Labels are names of our own only: what clients send never
 *  becomes a label. */

import * as tf from '@tensorflow/tfjs-core';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { BatchReport } from './batcher.ts';

/** Seconds. */
const DURATIONS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export interface MetricsSources {
  readonly queueLength: () => number;
  readonly queueBound: number;
  readonly bodyBytes: () => number;
}

export class Metrics {
  readonly registry = new Registry();
  private readonly requests: Counter<'protocol' | 'model' | 'code'>;
  private readonly durations: Histogram<'protocol' | 'model'>;
  private readonly pictures: Counter<'model' | 'version'>;
  private readonly batches: Histogram<'model'>;
  private readonly computing: Histogram<'model'>;
  private readonly decoding: Histogram;
  private readonly refused: Counter<'reason'>;
  private readonly versions: Gauge<'model' | 'version'>;
  private readonly loads: Counter<'model' | 'result'>;

  constructor({ queueLength, queueBound, bodyBytes }: MetricsSources) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.requests = new Counter({
      name: 'residual_requests_total',
      help: 'Requests answered, by protocol, model and HTTP status',
      labelNames: ['protocol', 'model', 'code'],
      registers,
    });
    this.durations = new Histogram({
      name: 'residual_request_seconds',
      help: 'From the arrival of a request to its answer',
      labelNames: ['protocol', 'model'],
      buckets: DURATIONS,
      registers,
    });
    this.pictures = new Counter({
      name: 'residual_pictures_total',
      help: 'Pictures classified',
      labelNames: ['model', 'version'],
      registers,
    });
    this.batches = new Histogram({
      name: 'residual_batch_size',
      help: 'Pictures that the engine computed together, without blank ones',
      labelNames: ['model'],
      buckets: [1, 2, 4, 8, 16, 32, 64, 128],
      registers,
    });
    this.computing = new Histogram({
      name: 'residual_batch_seconds',
      help: 'Time of a batch with the engine',
      labelNames: ['model'],
      buckets: DURATIONS,
      registers,
    });
    this.decoding = new Histogram({
      name: 'residual_prepare_seconds',
      help: 'Time until a picture was decoded and scaled, waiting included',
      buckets: DURATIONS,
      registers,
    });
    this.refused = new Counter({
      name: 'residual_refused_total',
      help: 'Requests that were refused to stay within a bound',
      labelNames: ['reason'],
      registers,
    });
    this.versions = new Gauge({
      name: 'residual_model_version_loaded',
      help: '1 for each version that is served',
      labelNames: ['model', 'version'],
      registers,
    });
    this.loads = new Counter({
      name: 'residual_model_loads_total',
      help: 'Versions that were loaded, or could not be',
      labelNames: ['model', 'result'],
      registers,
    });
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    gauge('residual_queue_pictures', 'Pictures accepted and not yet with the engine', queueLength);
    gauge('residual_queue_bound', 'The most that may wait', () => queueBound);
    gauge('residual_body_bytes', 'Bytes set aside for requests that are received or worked on', bodyBytes);
    gauge('residual_engine_bytes', 'Memory of the compute engine that is in use', engineBytes);
    gauge('residual_tensors', 'Tensors that live', () => tf.engine().state.numTensors);
  }

  request(protocol: string, model: string, code: number, seconds: number): void {
    this.requests.inc({ protocol, model, code: String(code) });
    this.durations.observe({ protocol, model }, seconds);
  }

  batch({ servable: { name, version }, pictures, milliseconds }: BatchReport): void {
    this.pictures.inc({ model: name, version: String(version) }, pictures);
    this.batches.observe({ model: name }, pictures);
    this.computing.observe({ model: name }, milliseconds / 1000);
  }

  prepared(seconds: number): void {
    this.decoding.observe(seconds);
  }

  refusal(reason: 'queue' | 'bodies' | 'timeout'): void {
    this.refused.inc({ reason });
  }

  loaded(model: string, version: number, result: 'loaded' | 'failed' | 'retired'): void {
    if (result !== 'failed') this.versions.set({ model, version: String(version) }, result === 'loaded' ? 1 : 0);
    if (result !== 'retired') this.loads.inc({ model, result });
  }
}

/** Of the backend that compiles; others tell the bytes of all tensors. */
function engineBytes(): number {
  if (!tf.getBackend()) return 0;
  const { wasmBytes, numBytes } = tf.memory() as { wasmBytes?: number; numBytes: number };
  return wasmBytes ?? numBytes;
}
