/** The work of `residual summary`: a network's layers, its parameters and what it costs. */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { ImageShape } from '../data/dataset.ts';
import { bytes, compact, count, shapeText } from '../evaluate/report-format.ts';
import { createModel, type ModelOptions, modelNames } from '../models/registry.ts';
import { startBackend } from './backend.ts';
import { CommandError, UsageError, type Values } from './command.ts';
import { runsFolder } from './defaults.ts';
import { type LayerCost, layerCosts, memoryEstimate } from './layer-costs.ts';
import { loadRun } from './load-run.ts';
import { nearest } from './nearest.ts';
import { type Style, styleOf } from './style.ts';
import type { summaryOptions } from './summary.ts';
import { tableLines } from './table.ts';

type SummaryValues = Values<typeof summaryOptions>;

export async function summary([typed = '']: readonly string[], values: SummaryValues): Promise<number> {
  // Nothing is computed here but the starting weights: the backend that starts at once serves best.
  await startBackend({ backend: 'cpu' });
  const model = await modelOf(typed, values);
  const costs = layerCosts(model);
  const batch = values.batch ?? 32;
  if (values.json === true) {
    const memory = memoryEstimate(costs, batch);
    const totals = {
      parameters: total(costs, 'parameters'),
      trainable: total(costs, 'trainable'),
      macs: total(costs, 'macs'),
    };
    const input = model.inputs[0]?.shape.slice(1);
    process.stdout.write(
      `${JSON.stringify({ model: model.name, input, ...totals, batch, memory, layers: costs }, null, 2)}\n`,
    );
  } else {
    process.stdout.write(`${summaryLines(model, costs, batch, styleOf(process.stdout)).join('\n')}\n`);
  }
  model.dispose();
  return 0;
}

/** The table of layers and the totals. */
export function summaryLines(model: LayersModel, costs: readonly LayerCost[], batch: number, style: Style): string[] {
  const table = tableLines(
    [
      { title: 'layer' },
      { title: 'kind' },
      { title: 'output', align: 'right' },
      { title: 'parameters', align: 'right' },
      { title: 'multiply-adds', align: 'right' },
    ],
    costs.map((cost) => [
      cost.name,
      style.dim(cost.kind),
      shapeText(cost.output),
      cost.parameters === 0 ? '' : count(cost.parameters),
      cost.macs === 0 ? '' : compact(cost.macs),
    ]),
    style,
  );
  const memory = memoryEstimate(costs, batch);
  const macs = total(costs, 'macs');
  const parameters = total(costs, 'parameters');
  const trainable = total(costs, 'trainable');
  const input = shapeText((model.inputs[0]?.shape.slice(1) ?? []).map((size) => size ?? 0));
  const row = (name: string, text: string) => `${style.dim(name.padEnd(16))}${text}`;
  const rest = parameters - trainable;
  return [
    ...table,
    '',
    row('model', `${style.bold(model.name)}, input ${input}, ${count(costs.length)} layers`),
    row('parameters', `${count(trainable)} trainable${rest === 0 ? '' : `, ${count(rest)} others (moving averages)`}`),
    row(
      'multiply-adds',
      `${compact(macs)} per image (${compact(2 * macs)} FLOPs); training takes about three times that`,
    ),
    row('weights', bytes(memory.weights)),
    row(
      'memory',
      `about ${bytes(memory.training)} to train and ${bytes(memory.inference)} to predict with batches of ${batch}`,
    ),
  ];
}

async function modelOf(typed: string, values: SummaryValues): Promise<LayersModel> {
  if (modelNames.some((name) => name === typed)) {
    return createModel(typed, {
      inputShape: parseShape(values['input-shape'] ?? '224x224x3'),
      classes: values.classes ?? 1000,
      ...(values.width === undefined ? {} : { width: values.width }),
      ...(values.stem === undefined ? {} : { stem: values.stem as NonNullable<ModelOptions['stem']> }),
      ...(values.convention === undefined
        ? {}
        : { convention: values.convention as NonNullable<ModelOptions['convention']> }),
    });
  }
  const folders = await Promise.all([typed, join(runsFolder, typed)].map((path) => stat(path).catch(() => undefined)));
  if (folders.every((found) => found === undefined)) {
    const close = nearest(typed, modelNames);
    throw new CommandError(
      `there is no run and no model called '${typed}'`,
      close === undefined ? `the models are ${modelNames.join(', ')}` : `did you mean ${close}?`,
    );
  }
  return (await loadRun(typed)).model;
}

/** `32x32x3`: height, width, channels. */
function parseShape(text: string): ImageShape {
  const match = /^(\d+)[x×,](\d+)[x×,](\d+)$/.exec(text);
  const [height = 0, width = 0, channels = 0] = (match ?? []).slice(1).map(Number);
  if (Math.min(height, width, channels) < 1) {
    throw new UsageError(`--input-shape must be height x width x channels, as 32x32x3, received '${text}'`);
  }
  return [height, width, channels];
}

function total(costs: readonly LayerCost[], field: 'parameters' | 'trainable' | 'macs'): number {
  return costs.reduce((sum, cost) => sum + cost[field], 0);
}
