/** The progress of a training run as lines of text: a bar for terminals, plain lines elsewhere.
 *  Pure functions of the numbers and the width; `live-line.ts` puts them on the screen. */

import { clock, count, decimal, percent } from '../evaluate/report-format.ts';
import { columns, type Style } from './style.ts';

export interface Progress {
  /** Counted from 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Steps done in this epoch, of how many. */
  readonly step: number;
  readonly steps: number;
  /** Mean over the last steps. */
  readonly loss: number;
  readonly accuracy: number;
  readonly imagesPerSecond: number;
  /** Until the end of the run; not finite while unknown. */
  readonly secondsLeft: number;
  /** What goes on instead of training, e.g. `validating`. */
  readonly doing?: string;
}

/**
 * One line of at most `width` columns. Fields fall away from the least to the most important as the width shrinks;
 * what room is left is the bar's.
 */
export function progressLine(progress: Progress, width: number, style: Style): string {
  // Numbers keep their places as they grow, so that the line does not tremble.
  const step = `${String(progress.step).padStart(String(progress.steps).length)}/${progress.steps}`;
  const parts: { text: string; rank: number }[] = [
    { text: style.bold(`epoch ${progress.epoch}/${progress.epochs}`), rank: 0 },
    { text: barSlot, rank: 0 },
    { text: step, rank: 4 },
  ];
  if (Number.isFinite(progress.loss)) {
    parts.push({ text: `loss ${decimal(progress.loss)}`, rank: 1 });
    parts.push({ text: `accuracy ${percent(progress.accuracy).padStart(6)}`, rank: 2 });
  }
  if (progress.doing !== undefined) {
    parts.push({ text: style.dim(progress.doing), rank: 1 });
  } else {
    if (progress.imagesPerSecond > 0) {
      parts.push({ text: style.dim(`${pace(progress.imagesPerSecond).padStart(4)} images/s`), rank: 5 });
    }
    if (Number.isFinite(progress.secondsLeft)) {
      parts.push({ text: `${clock(progress.secondsLeft).padStart(5)} left`, rank: 3 });
    }
  }

  const gap = 2;
  const shortestBar = 8;
  for (let rank = 5; rank >= 0; rank--) {
    const shown = parts.filter((part) => part.rank <= rank);
    const texts = shown.filter((part) => part.text !== barSlot);
    const taken = texts.reduce((sum, part) => sum + columns(part.text) + gap, 0);
    const room = width - taken;
    if (room >= shortestBar) {
      const bar = drawBar(progress.step / Math.max(1, progress.steps), Math.min(room, 40), style);
      return shown.map((part) => (part.text === barSlot ? bar : part.text)).join(' '.repeat(gap));
    }
    if (rank === 1 && taken - gap <= width) return texts.map((part) => part.text).join(' '.repeat(gap));
  }
  return `${progress.epoch}/${progress.epochs} ${progress.step}/${progress.steps}`.slice(0, Math.max(0, width));
}

const barSlot = '\0bar';

/** A bar of `width` columns filled by `fraction`. */
export function drawBar(fraction: number, width: number, style: Style): string {
  const part = Math.min(1, Math.max(0, Number.isFinite(fraction) ? fraction : 0));
  if (!style.unicode) {
    const full = Math.round(part * (width - 2));
    return `[${'#'.repeat(full)}${'.'.repeat(width - 2 - full)}]`;
  }
  const halves = Math.round(part * width * 2);
  const full = '━'.repeat(halves >> 1) + (halves % 2 === 1 ? '╸' : '');
  return style.cyan(full) + style.dim('─'.repeat(width - (halves >> 1) - (halves % 2)));
}

/** A line for logs, e.g. every few seconds: `epoch 3/10  step 62/93  loss 0.412  accuracy 85.1 %  88 images/s  2:31 left`. */
export function plainLine(progress: Progress): string {
  const parts = [`epoch ${progress.epoch}/${progress.epochs}`, `step ${progress.step}/${progress.steps}`];
  if (progress.doing !== undefined) parts.push(progress.doing);
  if (Number.isFinite(progress.loss)) {
    parts.push(`loss ${decimal(progress.loss)}`, `accuracy ${percent(progress.accuracy)}`);
  }
  if (progress.imagesPerSecond > 0) parts.push(`${pace(progress.imagesPerSecond)} images/s`);
  if (Number.isFinite(progress.secondsLeft)) parts.push(`${clock(progress.secondsLeft)} left`);
  return parts.join('  ');
}

export interface EpochSummary {
  readonly epoch: number;
  readonly epochs: number;
  readonly loss: number;
  readonly accuracy: number;
  readonly validationLoss?: number;
  readonly validationAccuracy?: number;
  readonly seconds: number;
}

/** The line that stays when an epoch is done. */
export function epochLine(summary: EpochSummary, style: Style): string {
  const number = String(summary.epoch).padStart(String(summary.epochs).length);
  const parts = [
    style.bold(`epoch ${number}/${summary.epochs}`),
    `loss ${decimal(summary.loss)}`,
    `accuracy ${percent(summary.accuracy).padStart(6)}`,
  ];
  if (summary.validationLoss !== undefined && summary.validationAccuracy !== undefined) {
    const values = `validation loss ${decimal(summary.validationLoss)}  accuracy ${percent(summary.validationAccuracy).padStart(6)}`;
    parts.push(style.cyan(values));
  }
  parts.push(style.dim(clock(summary.seconds)));
  return parts.join('  ');
}

function pace(imagesPerSecond: number): string {
  return imagesPerSecond >= 20 ? count(imagesPerSecond) : imagesPerSecond.toFixed(1);
}
