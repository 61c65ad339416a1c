/** An evaluation as text for the terminal, and as an object for machines.
 *  Pure functions. */

import type { Evaluation } from '../evaluate/metrics.ts';
import { confusedPairs } from '../evaluate/report-confusion.ts';
import { count, decimal, percent, wilson } from '../evaluate/report-format.ts';
import { columns, type Style } from './style.ts';
import { shorten, tableLines } from './table.ts';

/** Scores of each class, the confusion table where it fits into `width` columns, and the headline last. */
export function evaluationLines(
  evaluation: Evaluation,
  classes: readonly string[],
  split: string,
  style: Style,
  width: number,
): string[] {
  const { accuracy, images, loss, topFive, perClass, confusion, macro, weighted, calibration, recalibrated } =
    evaluation;
  const hits = Math.round(accuracy * images);
  const [low, high] = wilson(hits, images);
  const lines = tableLines(
    [
      { title: 'class' },
      { title: 'precision', align: 'right' },
      { title: 'recall', align: 'right' },
      { title: 'F1', align: 'right' },
      { title: 'ROC AUC', align: 'right' },
      { title: 'images', align: 'right' },
    ],
    [
      ...perClass.map((score, i) => [
        shorten(classes[i] ?? '', 32),
        ...[score.precision, score.recall, score.f1].map((value) => percent(value)),
        area(score.rocAuc),
        count(score.images),
      ]),
      ['macro', ...averageCells(macro), area(evaluation.rocAuc), ''].map(style.dim),
      ['weighted', ...averageCells(weighted), '', count(images)].map(style.dim),
    ],
    style,
  );
  const table = confusionLines(confusion, classes, style);
  const fits = table.every((line) => columns(line) <= width);
  const pairs = confusedPairs({ classes, counts: confusion }, 5);
  if (fits && classes.length > 1)
    lines.push('', `confusions ${style.dim('(rows: true class, columns: predicted)')}`, ...table);
  if (pairs.length > 0) {
    lines.push('', 'most confused');
    for (const pair of pairs) {
      lines.push(
        `  ${classes[pair.actual]} ${style.yellow('→')} ${classes[pair.predicted]}  ${style.dim(`${count(pair.count)} images, ${percent(pair.share)} of the class`)}`,
      );
    }
  }
  const more = classes.length > 5 ? `, top five ${percent(topFive)}` : '';
  lines.push(
    '',
    style.bold(`${split} accuracy ${percent(accuracy)}`),
    style.dim(
      `${count(hits)} of ${count(images)} images, 95 % interval ${percent(low)} to ${percent(high)}, loss ${decimal(loss)}${more}`,
    ),
    style.dim(
      `calibration error ${percent(calibration.ece)}${
        recalibrated === undefined
          ? ''
          : `, ${percent(recalibrated.calibration.ece)} with temperature ${decimal(recalibrated.temperature)} fitted on the validation images`
      }`,
    ),
  );
  return lines;
}

function averageCells({ precision, recall, f1 }: Evaluation['macro']): string[] {
  return [precision, recall, f1].map((value) => percent(value));
}

function area(value: number): string {
  return Number.isNaN(value) ? '–' : value.toFixed(3);
}

/** The confusion counts, each class named by its row and numbered in the columns. */
export function confusionLines(confusion: ArrayLike<number>, classes: readonly string[], style: Style): string[] {
  const size = classes.length;
  return tableLines(
    [
      { title: '' },
      { title: '', align: 'right' },
      ...classes.map((_, i) => ({ title: String(i + 1), align: 'right' as const })),
    ],
    classes.map((name, actual) => [
      shorten(name, 24),
      style.dim(String(actual + 1)),
      ...classes.map((_, predicted) => {
        const hits = confusion[actual * size + predicted] ?? 0;
        if (hits === 0) return style.dim(style.unicode ? '·' : '.');
        return predicted === actual ? style.cyan(String(hits)) : style.yellow(String(hits));
      }),
    ]),
    style,
  );
}

/** Everything that was measured, with class names. */
export function evaluationJson(evaluation: Evaluation, classes: readonly string[]): object {
  const { accuracy, loss, topFive, images, perClass, confusion, recalibrated } = evaluation;
  const { macro, weighted, rocAuc, averagePrecision, calibration } = evaluation;
  return {
    accuracy,
    loss,
    topFive,
    images,
    macro,
    weighted,
    rocAuc,
    averagePrecision,
    calibration,
    ...(recalibrated === undefined ? {} : { recalibrated }),
    classes: perClass.map((score, i) => ({ name: classes[i], ...score })),
    confusion: classes.map((_, i) => [...confusion.subarray(i * classes.length, (i + 1) * classes.length)]),
  };
}
