/** What `residual train` says of the curves at its end, and of troubles while it trains.
 *  The judgement itself is evaluate/diagnose.ts. */

import type { Splits } from '../data/dataset.ts';
import { type Diagnosis, type DiagnosisContext, diagnose } from '../evaluate/diagnose.ts';
import type { HistoryRecord, TroubleRecord } from '../train/history.ts';
import type { RunPlan } from './run-plan.ts';
import type { Style } from './style.ts';

/** A run's diagnosis from its history and its plan. */
export function diagnoseRun(
  history: readonly HistoryRecord[],
  splits: Splits,
  plan: RunPlan | undefined,
): Diagnosis | undefined {
  const sizes = { classes: splits.classes.length, images: splits.train.size };
  const known = plan === undefined ? {} : contextOf(plan);
  return diagnose(history, { ...sizes, ...known });
}

/** Augmentations that move and mirror a picture and leave it as it is otherwise. */
const LIGHT: readonly string[] = ['randomCrop', 'randomFlip', 'alternatingFlip'];

function contextOf({ recipe }: RunPlan): Partial<DiagnosisContext> {
  const { augment, optimizer, loss } = recipe;
  const strong = augment.some(({ name }) => !LIGHT.includes(name));
  return {
    augmentation: augment.length === 0 ? 'none' : strong ? 'strong' : 'light',
    weightDecay: optimizer.weightDecay,
    ...('labelSmoothing' in loss && { labelSmoothing: loss.labelSmoothing }),
    pretrained: false,
  };
}

export function diagnosisLines({ headline, evidence, next }: Diagnosis, style: Style): string[] {
  return [
    style.bold(headline),
    ...evidence.map((line) => `  ${line}`),
    'what to try:',
    ...next.map((line) => `  ${line}`),
    '',
  ];
}

/** One line for a trouble that was mended. */
export function troubleLine({ message }: TroubleRecord, style: Style): string {
  return style.yellow(`mended: ${message}`);
}
