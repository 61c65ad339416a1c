/** The section `optimizer`: what it may say, and the optimizer that it makes.
 *  One member for each optimizer of `train/`, with the same names for its options. */

import { z } from 'zod';
import { adamW } from '../train/adamw.ts';
import type { LayerRates } from '../train/layer-rates.ts';
import { muon } from '../train/muon.ts';
import type { ScheduledOptimizer } from '../train/optimizer.ts';
import type { Schedule } from '../train/schedule.ts';
import { sgd } from '../train/sgd.ts';
import type { FactorsByName } from '../train/weight-names.ts';
import { choice, flag, named, number, whole } from './kinds.ts';

const rate = { min: 0, above: true } as const;
const memory = { min: 0, max: 1, below: true } as const;

const patterns = z
  .array(z.string())
  .meta({ rule: 'a list of names of weights, as [fc/*]', help: 'what does not decay' });

const common = {
  clip: z
    .strictObject({
      value: number('each element to −value … value', rate).exactOptional(),
      norm: number("each weight's gradient to this norm", rate).exactOptional(),
      globalNorm: number('all gradients together to this norm', rate).exactOptional(),
    })
    .refine((clip) => Object.keys(clip).length === 1, { message: 'must have one of value, norm, globalNorm' })
    .exactOptional(),
  learningRateFactors: z
    .record(z.string(), z.number().min(0))
    .meta({
      rule: "factors by names of weights, as { '*/beta': 64 }",
      help: 'multiples of the learning rate; the first pattern that fits counts',
    })
    .exactOptional(),
  layerDecay: number("what each block's learning rate is of the next one's, from the classifier down; 1: all alike", {
    min: 0,
    above: true,
    max: 1,
  }).default(1),
  headFactor: number("the classifier's multiple of the learning rate", rate).default(1),
};

const decay = choice('what decays: all weights, or kernels only (no biases, no scales of BN)', ['all', 'kernels']);

const sgdSection = z
  .strictObject({
    name: named('sgd'),
    learningRate: number('the highest learning rate', rate).default(0.1),
    momentum: number('how much of the last update goes on', memory).default(0.9),
    nesterov: flag("Nesterov's momentum").default(false),
    weightDecay: number("as PyTorch's: λ·w is added to the gradient", { min: 0 }).default(0),
    decay: decay.default('all'),
    ...common,
  })
  .refine(({ nesterov, momentum }) => !nesterov || momentum > 0, {
    path: ['nesterov'],
    message: 'needs a momentum greater than 0',
  });

const adamWSection = z.strictObject({
  name: named('adamW'),
  learningRate: number('the highest learning rate', rate).default(0.001),
  beta1: number("the first moment's memory", memory).default(0.9),
  beta2: number("the second moment's memory", memory).default(0.999),
  epsilon: number('keeps the division finite', rate).default(1e-7),
  weightDecay: number('decoupled: w loses λ·lr·w at every step', { min: 0 }).default(0.004),
  decay: decay.default('kernels'),
  exclude: patterns.default([]),
  ...common,
});

const muonSection = z.strictObject({
  name: named('muon'),
  learningRate: number('the highest learning rate, of the kernels', rate).default(0.02),
  momentum: number('how much of the last update goes on', memory).default(0.95),
  nesterov: flag("Nesterov's momentum").default(true),
  weightDecay: number('decoupled: w loses λ·lr·w at every step', { min: 0 }).default(0),
  steps: whole('steps of the Newton–Schulz iteration', { min: 1, max: 20 }).default(5),
  kernels: choice('those of convolutions only, or of dense layers too', ['conv', 'all']).default('conv'),
  exclude: patterns.default([]),
  others: z.discriminatedUnion('name', [sgdSection, adamWSection]).prefault({ name: 'adamW' }),
  ...common,
});

export const optimizerSection = z.discriminatedUnion('name', [sgdSection, adamWSection, muonSection]);

export type OptimizerSection = z.output<typeof optimizerSection>;

/** Factors of the learning rate by depth, for the network that is going to be trained. */
export type RatesFor = (rates: LayerRates) => FactorsByName;

/**
 * Makes the optimizer; the caller disposes of it.
 *
 * @param scheduleFor the way through the run from a highest learning rate
 * @param ratesFor the factors that `layerDecay` and `headFactor` mean
 */
export function optimizerOf(
  section: OptimizerSection,
  scheduleFor: (rate: number) => Schedule,
  ratesFor: RatesFor,
): ScheduledOptimizer {
  const learningRate = scheduleFor(section.learningRate);
  const learningRateFactors = factorsOf(section, ratesFor);
  switch (section.name) {
    case 'sgd': {
      const { name: _, layerDecay: __, headFactor: ___, ...options } = section;
      return sgd({ ...options, learningRate, learningRateFactors });
    }
    case 'adamW': {
      const { name: _, layerDecay: __, headFactor: ___, ...options } = section;
      return adamW({ ...options, learningRate, learningRateFactors });
    }
    case 'muon': {
      const { name: _, layerDecay: __, headFactor: ___, others, ...options } = section;
      return muon({
        ...options,
        learningRate,
        learningRateFactors,
        others: optimizerOf(others, scheduleFor, ratesFor) as ReturnType<typeof sgd>,
      });
    }
    default:
      return section satisfies never;
  }
}

/** The recipe's own patterns come first: the first that fits counts. */
function factorsOf({ layerDecay, headFactor, learningRateFactors = {} }: OptimizerSection, ratesFor: RatesFor) {
  const byDepth = layerDecay === 1 && headFactor === 1 ? {} : ratesFor({ decay: layerDecay, head: headFactor });
  return {
    ...learningRateFactors,
    ...Object.fromEntries(Object.entries(byDepth).filter(([key]) => !(key in learningRateFactors))),
  };
}
