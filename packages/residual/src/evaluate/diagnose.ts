/** What the curves of a run say: too little learned, too much by heart, or a learning rate that is wrong; and what to
 *  try next. A pure function of the history, in words for someone who has not trained a network before. */

import type { EpochRecord, HistoryRecord, TroubleRecord } from '../train/history.ts';
import { decimal, percent, plain, plural } from './report-format.ts';

export type Verdict =
  | 'overfitting'
  | 'underfitting'
  | 'undertrained'
  | 'learningRateTooHigh'
  | 'learningRateTooLow'
  | 'good';

export interface Diagnosis {
  readonly verdict: Verdict;
  /** One sentence. */
  readonly headline: string;
  /** The numbers that it rests on, one sentence each. */
  readonly evidence: readonly string[];
  /** What to try, the likeliest first, one sentence each. */
  readonly next: readonly string[];
}

/** What is known of the run beside its curves; what is not known is not advised about. */
export interface DiagnosisContext {
  readonly classes: number;
  /** Training images. */
  readonly images?: number;
  /** Whether training images are augmented, and more than cropped and flipped. */
  readonly augmentation?: 'none' | 'light' | 'strong';
  readonly weightDecay?: number;
  readonly labelSmoothing?: number;
  /** Whether the run began from weights that were trained on other images. */
  readonly pretrained?: boolean;
}

/** More of the training than of the validation images right, by this much, is learning by heart. */
const GAP = 0.06;
/** Validation loss above its lowest by this part has turned round. */
const TURNED = 0.1;
/** Accuracy per epoch that still counts as getting better. */
const RISING = 0.004;
/** Of the way from chance to everything right: less is little learned, more needs no further advice. */
const LITTLE = 0.3;
const MUCH = 0.97;

/**
 * Names what limits a run's accuracy.
 *
 * Training accuracy is measured during the epoch, on augmented images and before each update, so it lags behind the
 * validation's; a training accuracy that is nevertheless far above is a sure sign.
 *
 * @param history As `readHistory` gives it.
 * @returns undefined where there is no epoch to judge by.
 */
export function diagnose(history: readonly HistoryRecord[], context: DiagnosisContext): Diagnosis | undefined {
  const epochs = history.filter((record): record is EpochRecord => record.type === 'epoch');
  const last = epochs.at(-1);
  if (!last) return undefined;
  const setbacks = history.filter(
    (record): record is TroubleRecord =>
      record.type === 'trouble' && (record.trouble === 'diverged' || record.trouble === 'dead'),
  );
  const curves = measure(epochs, last, context.classes);
  const advice: Advice = { curves, context, last };
  if (setbacks.length > 0 && curves.learned < MUCH) return tooHigh(advice, setbacks);
  if (curves.learned < LITTLE) return little(advice);
  if (curves.gap > GAP || (curves.turned && curves.gap > GAP / 2)) return overfitting(advice);
  if (curves.rising > RISING && curves.learned < MUCH) return undertrained(advice);
  if (curves.learned < 0.85 && curves.gap < GAP / 2) return underfitting(advice);
  return good(advice);
}

interface Curves {
  /** Validation accuracy, or training accuracy where nothing was held out. */
  readonly accuracy: number;
  readonly held: boolean;
  /** From chance (0) to everything right (1). */
  readonly learned: number;
  /** Training minus validation accuracy; 0 where nothing was held out. */
  readonly gap: number;
  /** The validation loss is clearly above its lowest, which lies back. */
  readonly turned: boolean;
  readonly bestEpoch: number;
  /** Accuracy per epoch, by the last third of the epochs. */
  readonly rising: number;
}

interface Advice {
  readonly curves: Curves;
  readonly context: DiagnosisContext;
  readonly last: EpochRecord;
}

function measure(epochs: readonly EpochRecord[], last: EpochRecord, classes: number): Curves {
  const accuracyOf = (epoch: EpochRecord) => epoch.validationAccuracy ?? epoch.accuracy;
  const accuracy = accuracyOf(last);
  const chance = 1 / Math.max(2, classes);
  const losses = epochs.map((epoch) => epoch.validationLoss ?? Number.POSITIVE_INFINITY);
  const lowest = Math.min(...losses);
  const recent = epochs.slice(-Math.max(2, Math.ceil(epochs.length / 3)));
  return {
    accuracy,
    held: last.validationAccuracy !== undefined,
    learned: (accuracy - chance) / (1 - chance),
    gap: last.validationAccuracy === undefined ? 0 : last.accuracy - last.validationAccuracy,
    turned: Number.isFinite(lowest) && (last.validationLoss ?? 0) > (1 + TURNED) * lowest,
    bestEpoch: Number.isFinite(lowest) ? losses.indexOf(lowest) + 1 : last.epoch,
    rising: recent.length < 2 ? 0 : slope(recent.map(accuracyOf)),
  };
}

/** Of the least-squares line through values one apart. */
function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const spread = values.reduce((sum, _, i) => sum + (i - middle) ** 2, 0);
  return values.reduce((sum, value, i) => sum + (i - middle) * value, 0) / spread;
}

function overfitting({ curves, context, last }: Advice): Diagnosis {
  const { bestEpoch, turned, gap } = curves;
  const { augmentation, weightDecay, pretrained, images } = context;
  return {
    verdict: 'overfitting',
    headline: 'Overfitting: the network knows the training images by heart and does worse on others.',
    evidence: [
      ...bothAccuracies(curves, last),
      ...(turned
        ? [`The validation loss was lowest after epoch ${bestEpoch} (of ${last.epoch}) and has risen since.`]
        : []),
    ],
    next: [
      ...(augmentation === 'none' ? ['Augment the training images: random crops and flips cost nothing.'] : []),
      ...(augmentation === 'light' || augmentation === undefined
        ? ['Augment more: stronger crops, colour jitter, RandAugment, mixup or CutMix.']
        : []),
      weightDecay === undefined || weightDecay === 0
        ? 'Add weight decay, 5e-4 for SGD.'
        : `Raise the weight decay (it is ${plain(weightDecay)}) two to five times.`,
      ...(pretrained === false && (images ?? 0) < 50_000
        ? ['Begin from pretrained weights: few images are enough then.']
        : []),
      ...(turned ? ['Stop early, or keep the weights of the best epoch.'] : []),
      ...(gap > 2 * GAP ? ['Collect more images of the classes that are mixed up.'] : []),
    ],
  };
}

function underfitting({ curves, context, last }: Advice): Diagnosis {
  const { augmentation, weightDecay = 0, labelSmoothing = 0, pretrained } = context;
  return {
    verdict: 'underfitting',
    headline: 'Underfitting: the network does not even get the training images right, and no longer gets better.',
    evidence: [...bothAccuracies(curves, last), `Accuracy changes by ${points(curves.rising)} an epoch at the end.`],
    next: [
      'Use a larger or wider network, or larger images.',
      'Raise the learning rate two to three times, with a warm-up, and train longer.',
      ...(augmentation === 'strong' ? ['Augment less: the changed images may be too hard.'] : []),
      ...(weightDecay > 1e-3 ? [`Lower the weight decay (it is ${plain(weightDecay)}).`] : []),
      ...(labelSmoothing > 0.15 ? [`Lower the label smoothing (it is ${plain(labelSmoothing)}).`] : []),
      ...(pretrained === false ? ['Begin from pretrained weights.'] : []),
      'Look for wrong labels: residual doctor RUN ranks the suspicious ones.',
    ],
  };
}

function undertrained({ curves, context, last }: Advice): Diagnosis {
  return {
    verdict: 'undertrained',
    headline: 'Not done yet: the accuracy was still rising when the training ended.',
    evidence: [...bothAccuracies(curves, last), `Accuracy rises by ${points(curves.rising)} an epoch at the end.`],
    next: [
      `Train longer: ${last.epoch * 2} to ${last.epoch * 4} epochs instead of ${last.epoch}, with the schedule stretched to match.`,
      'If that takes too long, a larger learning rate with a warm-up learns more in the same time.',
      ...(context.pretrained === false ? ['Pretrained weights get there in a fraction of the epochs.'] : []),
    ],
  };
}

function little({ curves, context, last }: Advice): Diagnosis {
  // Near-constant loss says that the steps are too small; a loss above that of guessing, too large.
  const guessing = Math.log(Math.max(2, context.classes));
  const high = last.loss > 1.05 * guessing;
  return {
    verdict: high ? 'learningRateTooHigh' : 'learningRateTooLow',
    headline: high
      ? 'Hardly anything was learned, and the loss is above that of guessing: the learning rate is probably too high.'
      : 'Hardly anything was learned: the learning rate is probably too low, or the training far too short.',
    evidence: [
      `${percent(curves.accuracy)} right after ${plural(last.epoch, 'epoch')}; guessing gets ${percent(1 / context.classes)}.`,
      `The training loss is ${decimal(last.loss)}; guessing gives ${decimal(guessing)}.`,
    ],
    next: high
      ? [
          `Lower the learning rate to a tenth${rate(last)}.`,
          'Check the labels and the range of the inputs: normalised pixels lie within about ±3.',
        ]
      : [
          `Raise the learning rate three to ten times${rate(last)}; a learning rate range test finds the limit.`,
          'Train longer.',
          'Check that labels belong to their images.',
        ],
  };
}

function tooHigh({ curves, last }: Advice, setbacks: readonly TroubleRecord[]): Diagnosis {
  const scale = setbacks.at(-1)?.rateScale ?? 1;
  const steps = setbacks.map(({ step }) => step);
  return {
    verdict: 'learningRateTooHigh',
    headline: `The learning rate was too high: training went back ${plural(setbacks.length, 'time')} and ended with ${plain(scale)} of it.`,
    evidence: [
      `It went back from ${steps.length > 1 ? 'steps' : 'step'} ${steps.join(', ')}.`,
      ...bothAccuracies(curves, last),
    ],
    next: [
      `Begin with about ${plain(scale)} of the learning rate, or ${plain(3 * scale)} with a longer warm-up.`,
      'Clip gradients (clip: norm 1) where only single steps explode.',
    ],
  };
}

function good({ curves, context, last }: Advice): Diagnosis {
  return {
    verdict: 'good',
    headline: 'Nothing is wrong: training and validation agree, and the accuracy has settled.',
    evidence: bothAccuracies(curves, last),
    next: [
      'For the last points: train longer with stronger augmentation, mixup or CutMix, and average the weights (EMA).',
      ...(context.pretrained === false ? ['Pretrained weights help most where images are few.'] : []),
    ],
  };
}

function bothAccuracies({ held, gap }: Curves, last: EpochRecord): string[] {
  if (!held) return [`${percent(last.accuracy)} of the training images right; nothing was held out to compare with.`];
  const validation = percent(last.validationAccuracy ?? 0);
  const size = Math.abs(gap) < 0.0005 ? 'no difference' : `${points(Math.abs(gap))} ${gap > 0 ? 'less' : 'more'}`;
  return [`${percent(last.accuracy)} of the training images right, ${validation} of the validation images (${size}).`];
}

function points(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} points`;
}

function rate({ learningRate }: EpochRecord): string {
  return learningRate > 0 ? ` (it ended at ${plain(learningRate)})` : '';
}
