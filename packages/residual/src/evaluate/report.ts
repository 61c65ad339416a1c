/** The report of a run: one self-contained page that opens anywhere, without a server or a network.
 *  `reportPage` is a pure function of `ReportData`; `report-file.ts` puts the page into a file. */

import type { EpochRecord, HistoryRecord, StepRecord } from '../train/history.ts';
import { type LineChart, lineChart, type Point, smoothed, tickText } from './chart.ts';
import { confusedPairs, confusionMatrix, mostClasses, worstShare } from './report-confusion.ts';
import type { ReportData } from './report-data.ts';
import { diagnosisSection } from './report-diagnosis.ts';
import {
  compact,
  count,
  decimal,
  duration,
  escapeHtml,
  percent,
  plain,
  plural,
  shapeText,
  wilson,
} from './report-format.ts';
import { reliabilityDiagram, rocChart } from './report-probabilities.ts';
import { reportScript } from './report-script.ts';
import { reportStyle } from './report-style.ts';
import { classTable, pairTable } from './report-tables.ts';

/** Nothing but the page itself may be loaded: the browser refuses every request. */
const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/**
 * Draws the page. Everything in `data` is escaped: class names and file names may hold any character.
 *
 * @returns a complete HTML document.
 */
export function reportPage(data: ReportData): string {
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    '<meta name="generator" content="residual">',
    `<title>${escapeHtml(data.name)} · residual</title>`,
    `<style>${reportStyle}</style></head><body>`,
    header(data),
    headline(data),
    curves(data),
    diagnosisSection(data.diagnosis, data.history),
    confusion(data),
    perClass(data),
    probabilities(data),
    mistakes(data),
    details(data),
    skipped(data),
    `<footer>Made by residual on ${escapeHtml(dateText(data.date))}. This page loads nothing from anywhere.</footer>`,
    '<div id="tip" role="status"></div>',
    `<script>${reportScript}</script>`,
    '</body></html>\n',
  ].join('\n');
}

function header(data: ReportData): string {
  const sizes = data.sizes.map(([part, images]) => `${count(images)} ${part}`).join(', ');
  return `<header><div><p class="eyebrow">Training report</p><h1>${escapeHtml(data.name)}</h1>
<p class="lead">${escapeHtml(data.architecture)} on ${escapeHtml(data.data)}: ${plural(data.classes.length, 'class', 'classes')}, images of ${escapeHtml(shapeText(data.inputShape))}, ${escapeHtml(sizes)}.</p></div>
<button class="theme" type="button" hidden>Dark</button></header>`;
}

function headline(data: ReportData): string {
  const { evaluation, split } = data;
  const hits = Math.round(evaluation.accuracy * evaluation.images);
  const [low, high] = wilson(hits, evaluation.images);
  const interval = `95 % interval ${percent(low).replace(' %', '')}–${percent(high)}`;
  const topFive = data.classes.length > 5 ? `top five ${percent(evaluation.topFive)}` : '';
  const numbers: string[] = [
    number(
      `${split} accuracy`,
      percent(evaluation.accuracy),
      `${count(hits)} of ${count(evaluation.images)} · ${interval}`,
    ),
    number(`${split} loss`, decimal(evaluation.loss), topFive),
  ];
  const last = data.history.at(-1);
  if (last !== undefined) {
    const images = data.sizes.find(([part]) => part === 'train')?.[1];
    const epochs = data.history.filter((record) => record.type === 'epoch').length;
    numbers.push(
      number('epochs', count(epochs), images === undefined ? '' : `of ${plural(images, 'image')}`),
      number('training time', duration(last.seconds), ''),
      number('images per second', speed(usualSpeed(data.history)), ''),
    );
  }
  numbers.push(number('parameters', compact(data.parameters), count(data.parameters)));
  return `<dl class="numbers">${numbers.join('')}</dl>`;
}

/** The median over the steps: pauses for validation, saving and compiling do not count. */
function usualSpeed(history: readonly HistoryRecord[]): number {
  const speeds = history.flatMap((record) => (record.type === 'step' ? [record.imagesPerSecond] : []));
  const sorted = speeds.filter((value) => value > 0).sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** A figure with its unit set smaller. */
function number(name: string, value: string, under: string): string {
  const text = escapeHtml(value).replace(/(\d) ([^\d ]+)/g, '$1<small>$2</small>');
  return `<div><dt>${escapeHtml(name)}</dt><dd>${text}<p class="under">${escapeHtml(under)}</p></dd></div>`;
}

function curves(data: ReportData): string {
  const steps = data.history.filter((record) => record.type === 'step');
  const epochs = data.history.filter((record) => record.type === 'epoch');
  if (steps.length === 0) return '';
  const of = (value: (step: StepRecord) => number): Point[] =>
    steps.map((step) => ({ x: place(step), y: value(step) }));
  const held = (value: (epoch: EpochRecord) => number | undefined): Point[] =>
    epochs.flatMap((epoch) => {
      const y = value(epoch);
      return y === undefined ? [] : [{ x: epoch.epoch, y }];
    });
  const xLabel = 'epoch';
  const xHigh = Math.max(...steps.slice(-1).map(place));
  const loss = [
    smoothed(
      'training',
      1,
      of((step) => step.loss),
    ),
  ];
  const accuracy = [
    smoothed(
      'training',
      1,
      of((step) => step.accuracy),
    ),
  ];
  const heldLoss = held((epoch) => epoch.validationLoss);
  const heldAccuracy = held((epoch) => epoch.validationAccuracy);
  const charts: (LineChart & { note: string })[] = [
    {
      title: 'Loss',
      note: 'lower is better',
      xLabel,
      low: 0,
      format: decimal,
      series: heldLoss.length > 0 ? [...loss, { name: 'validation', color: 2, dots: true, points: heldLoss }] : loss,
    },
    {
      title: 'Accuracy',
      note: 'higher is better',
      xLabel,
      high: 1,
      format: (y) => percent(y),
      tickFormat: (y, step) => `${tickText(Number((y * 100).toPrecision(12)), step * 100)} %`,
      series:
        heldAccuracy.length > 0
          ? [...accuracy, { name: 'validation', color: 2, dots: true, points: heldAccuracy }]
          : accuracy,
    },
  ];
  const rate = of((step) => step.learningRate);
  const every = Math.ceil(rate.length / 400);
  charts.push({
    title: 'Learning rate',
    note: '',
    xLabel,
    low: 0,
    format: plain,
    height: 200,
    series: [{ name: 'rate', color: 3, points: rate.filter((_, i) => i % every === 0 || i === rate.length - 1) }],
  });
  const pace = of((step) => step.imagesPerSecond).filter((point) => point.y > 0);
  charts.push({
    title: 'Speed',
    note: 'images per second',
    xLabel,
    low: 0,
    format: speed,
    height: 200,
    series: [smoothed('images/s', 3, pace)],
  });
  const figures = charts
    .filter((chart) => chart.series.some((series) => series.points.length > 0))
    .map(
      (chart) =>
        `<figure><figcaption>${escapeHtml(chart.title)}${chart.note === '' ? '' : `<span>${escapeHtml(chart.note)}</span>`}</figcaption>${lineChart({ ...chart, xHigh })}</figure>`,
    );
  const watched =
    heldLoss.length + heldAccuracy.length > 0 ? ' Dots are the whole validation set after each epoch.' : '';
  return `<section><h2>How it learned</h2><p>Training values are measured on each batch as it was seen, augmented; the line is their running mean and the tint their spread.${watched}</p><div class="charts">${figures.join('')}</div></section>`;
}

function confusion(data: ReportData): string {
  const matrix = { classes: data.classes, counts: data.evaluation.confusion };
  const wide = data.classes.length > 16;
  const pairs = confusedPairs(matrix, wide ? 15 : 9);
  const name = (i: number) => escapeHtml(data.classes[i] ?? '');
  const list = pairs.map(
    (pair) =>
      `<li><span><b>${name(pair.actual)}</b><span class="arrow">→</span>${name(pair.predicted)}</span><span>${count(pair.count)}</span><small>${percent(pair.share)} of this class</small></li>`,
  );
  const cut =
    data.classes.length > mostClasses
      ? ` Shown are the ${mostClasses} classes with the most mistakes of ${count(data.classes.length)}.`
      : '';
  const aside =
    list.length === 0
      ? '<p class="note">Not one mistake.</p>'
      : `<h3>Most confused</h3><ol class="confused">${list.join('')}</ol>`;
  return `<section><h2>What it mixes up</h2><p>Each row is a true class and adds up to all of its ${escapeHtml(data.split)} images; each column is what the network said.${cut}</p>
<div class="matrix${wide ? ' wide' : ''}"><div>${confusionMatrix(matrix)}<div class="key"><span><i class="hit"></i>right, 0–100 % of the row</span><span><i class="miss"></i>mistaken, 0–${percent(worstShare(matrix), 0)} of the row</span></div></div><div>${aside}</div></div></section>`;
}

function perClass(data: ReportData): string {
  return `<section><h2>Class by class</h2><p>Precision: of the images given this name, how many deserve it. Recall: of the images that deserve it, how many were given it. F1 is their harmonic mean. ROC AUC: how often an image of the class gets more of its probability than one of the rest. Average precision: the mean precision as the class is searched for. Click a heading to sort.</p>${classTable(data.classes, data.evaluation)}</section>`;
}

function probabilities({ evaluation, classes }: ReportData): string {
  const { calibration, rocCurves, perClass, recalibrated } = evaluation;
  const { ece, mce, brier, overconfidence } = calibration;
  const verdict =
    ece < 0.02
      ? 'They can be taken at their word.'
      : overconfidence > 0
        ? `The network is too sure of itself, by ${percent(overconfidence)} on average.`
        : `The network is too modest, by ${percent(-overconfidence)} on average.`;
  const scaling =
    recalibrated === undefined
      ? ''
      : ` With a temperature of ${decimal(recalibrated.temperature)}, fitted on ${plural(recalibrated.images, 'validation image')}, the expected calibration error becomes ${percent(recalibrated.calibration.ece)} and the loss ${decimal(recalibrated.loss)}.`;
  const curves = rocCurves.map((points, k) => ({ name: classes[k] ?? '', auc: perClass[k]?.rocAuc ?? 0, points }));
  const roc = curves.some(({ points }) => points.length > 0)
    ? `<figure><figcaption>ROC of each class against the rest<span>mean area ${evaluation.rocAuc.toFixed(4)}; the three least in colour</span></figcaption>${rocChart(curves)}</figure>`
    : '';
  return `<section><h2>What its probabilities are worth</h2><p>Expected calibration error ${percent(ece)}, worst bin ${percent(mce)}, Brier score ${decimal(brier)}. ${verdict}${scaling}</p><div class="charts"><figure><figcaption>Reliability<span>bars on the line would be perfect; orange is the gap</span></figcaption>${reliabilityDiagram(calibration)}</figure>${roc}</div></section>`;
}

function mistakes(data: ReportData): string {
  if (data.mistakes.length === 0) return '';
  const pixels = (data.inputShape[0] ?? 0) <= 96;
  const name = (i: number) => escapeHtml(data.classes[i] ?? '');
  const figures = data.mistakes.map((one) => {
    const alt = `true class ${data.classes[one.actual] ?? ''}, predicted ${data.classes[one.predicted] ?? ''}`;
    return `<figure><img${pixels ? ' class="pixels"' : ''} src="${escapeHtml(one.picture)}" alt="${escapeHtml(alt)}" loading="lazy">
<p><span class="said">${name(one.predicted)}</span><span>${percent(one.probability)}</span><span class="was">${name(one.actual)}</span><span>${percent(one.probabilityOfTruth)}</span></p><small>${escapeHtml(one.source)}</small></figure>`;
  });
  return `<section><h2>The worst mistakes</h2><p>The images whose label the network found least probable: in <b style="color:var(--orange)">orange</b> what it said, in <b style="color:var(--blue)">blue</b> the label, each with its probability. Look here for wrong labels.</p><div class="mistakes">${figures.join('')}</div></section>`;
}

function details(data: ReportData): string {
  const again =
    data.reproduce.length > 0
      ? `<h3>Train it again</h3><pre>${data.reproduce.map(escapeHtml).join('\n')}</pre><p class="note" style="margin-top:10px">The same seed gives the same weights, bit for bit, on any number of threads.</p>`
      : '';
  return `<section><h2>How it was made</h2><div class="details"><div><h3>Options</h3>${pairTable(data.options)}</div><div><h3>Environment</h3>${pairTable(data.environment)}<div style="margin-top:28px">${again}</div></div></div></section>`;
}

function skipped(data: ReportData): string {
  if (data.skipped.length === 0) return '';
  const most = 200;
  const rows = data.skipped
    .slice(0, most)
    .map((file) => `<tr><td><code>${escapeHtml(file.path)}</code></td><td>${escapeHtml(file.reason)}</td></tr>`);
  const more = data.skipped.length > most ? `<p class="note">And ${count(data.skipped.length - most)} more.</p>` : '';
  return `<section><h2>Skipped files</h2><p>${plural(data.skipped.length, 'file')} could not be used and took no part.</p><div class="scroll"><table><thead><tr><th scope="col">file</th><th scope="col">reason</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>${more}</section>`;
}

/** Where a step stands on the axis of epochs: the end of the first epoch is 1. */
function place(step: StepRecord): number {
  return step.epoch - 1 + step.batch / step.batches;
}

function speed(value: number): string {
  if (!Number.isFinite(value)) return '–';
  return value >= 99.5 ? count(value) : value.toFixed(1);
}

function dateText(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
