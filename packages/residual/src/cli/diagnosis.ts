/** What `residual train` says of the curves at its end, and of troubles while it trains.
 *  The judgement itself is evaluate/diagnose.ts. */

import type { Splits } from '../data/dataset.ts';
import { type Diagnosis, type DiagnosisContext, diagnose } from '../evaluate/diagnose.ts';
import type { HistoryRecord, TroubleRecord } from '../train/history.ts';
import { cropPaddingOf, type RunPlan } from './run-plan.ts';
import type { Style } from './style.ts';

/** A run's diagnosis from its history and its plan. */
export function diagnoseRun(
  history: readonly HistoryRecord[],
  splits: Splits,
  plan: RunPlan | undefined,
): Diagnosis | undefined {
  const sizes = { classes: splits.classes.length, images: splits.train.size };
  const known: Partial<DiagnosisContext> =
    plan === undefined
      ? {}
      : {
          augmentation: plan.data.flip || cropPaddingOf(plan, splits.imageShape) > 0 ? 'light' : 'none',
          weightDecay: plan.training.weightDecay,
          labelSmoothing: plan.training.labelSmoothing,
          pretrained: false,
        };
  return diagnose(history, { ...sizes, ...known });
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
