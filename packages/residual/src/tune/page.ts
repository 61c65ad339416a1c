/** A search as a page: what was found, each trial's way, and what each value was worth.
 *  A pure function to one HTML text without scripts or foreign files. */

import { escapeHtml, percent, plain, plural } from '../evaluate/report-format.ts';
import { reportStyle } from '../evaluate/report-style.ts';
import type { Plain } from '../recipe/layers.ts';
import { valueOfKey } from '../recipe/overrides.ts';
import { ranking } from './halving.ts';
import { type Frame, frame, valueTicks } from './plot.ts';
import { placeOf, valueText } from './space.ts';
import { scoresOf, type TuneResult } from './tune.ts';

type Shown = Pick<TuneResult, 'search' | 'trials' | 'results' | 'best'>;

/** A row of the table of trials, the best first. */
export interface TrialRow {
  readonly trial: number;
  /** The recipe's own where the trial changed nothing. */
  readonly values: Readonly<Record<string, Plain>>;
  readonly epochs: number;
  /** Undefined where it failed or has not come to the end of a rung. */
  readonly accuracy: number | undefined;
  readonly loss: number | undefined;
  readonly note: string;
}

/** Those that came furthest first, then by accuracy. */
export function trialRows({ search, trials, results, best }: Shown): readonly TrialRow[] {
  const scores = scoresOf(results);
  const order = search.rungs
    .flatMap((_, rung) => ranking(scores, search.rungs.length - 1 - rung))
    .map(({ trial }) => trial);
  const ranked = [...new Set([...order, ...trials.map(({ trial }) => trial)])];
  return ranked.flatMap((trial): TrialRow[] => {
    const own = results.filter((one) => one.trial === trial);
    const last = own.filter(({ accuracy }) => accuracy !== undefined).at(-1);
    const failed = own.find((one) => one.failed !== undefined)?.failed;
    const begun = trials.find((one) => one.trial === trial);
    if (begun === undefined) return [];
    const kept = search.space.flatMap(({ key }) => {
      const value = valueOfKey(search.recipe, key);
      return value === undefined ? [] : [[key, value] as const];
    });
    const values = { ...Object.fromEntries(kept), ...begun.values };
    const whole = last?.epochs === search.rungs.at(-1);
    const note =
      trial === best?.trial
        ? 'best'
        : failed !== undefined
          ? 'failed'
          : own.length === 0
            ? 'under way'
            : whole
              ? ''
              : 'stopped early';
    return [{ trial, values, epochs: last?.epochs ?? 0, accuracy: last?.accuracy, loss: last?.loss, note }];
  });
}

/** A row's cells in words, in the order of the table's columns; `keys` are those of the space. */
export function trialCells(
  { trial, values, epochs, accuracy, loss, note }: TrialRow,
  keys: readonly string[],
): readonly string[] {
  return [
    String(trial),
    ...keys.map((key) => valueText(values[key])),
    String(epochs),
    accuracy === undefined ? '–' : percent(accuracy, 2),
    loss === undefined ? '–' : plain(Number(loss.toPrecision(4))),
    note,
  ];
}

/** The last word of a key: `optimizer.learningRate` is `learningRate`. */
export function shortKey(key: string): string {
  return key.split('.').at(-1) ?? key;
}

const style = `
main { max-width: 68rem; margin: 0 auto; padding: 2rem 1rem; }
.plots { display: flex; flex-wrap: wrap; gap: 1.5rem; }
.plots figure { margin: 0; flex: 1 1 22rem; max-width: 34rem; }
.plots svg { width: 100%; height: auto; }
svg .grid { stroke: var(--faint); } svg .axis { stroke: var(--soft); }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
svg .way { fill: none; stroke: var(--soft); stroke-opacity: .45; stroke-width: 1.2; }
svg .spot { fill: var(--blue); fill-opacity: .55; }
svg .best { fill: var(--orange); fill-opacity: 1; } svg .way.best { fill: none; stroke: var(--orange); stroke-opacity: 1; stroke-width: 2.2; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid var(--faint); }
th { color: var(--soft); font-weight: 500; }
tr.best td { color: var(--orange); font-weight: 600; }
`;

export function tunePage(shown: Shown, date: Date): string {
  const { search, results, best } = shown;
  const rows = trialRows(shown);
  const keys = search.space.map(({ key }) => key);
  const seconds = results.reduce((sum, one) => sum + one.seconds, 0);
  const found =
    best === undefined
      ? 'No trial came to the end of a rung yet.'
      : `Best: trial ${best.trial}${best.trial === 0 ? ' (the recipe as it stands)' : ''}, ${percent(best.result.accuracy ?? 0, 2)} of the validation images after ${plural(best.result.epochs, 'epoch')}: ` +
        keys.map((key) => `${shortKey(key)} ${valueText(rows[0]?.values[key])}`).join(', ');
  const head = ['trial', ...keys.map(shortKey), 'epochs', 'accuracy', 'loss', ''];
  const body = rows.map((row) => {
    const cells = trialCells(row, keys).map((cell) => `<td>${escapeHtml(cell)}</td>`);
    return `<tr${row.note === 'best' ? ' class="best"' : ''}>${cells.join('')}</tr>`;
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Search from ${escapeHtml(search.from)}</title><style>${reportStyle}${style}</style></head>
<body><main>
<h1>Search from ${escapeHtml(search.from)}</h1>
<p>${escapeHtml(`${search.source}; ${plural(rows.length, 'trial')} of ${search.trials}, rungs of ${search.rungs.join(', ')} epochs, one in ${search.keep} goes on; ${plain(Math.round(seconds / 6) / 10)} minutes; ${date.toISOString().slice(0, 10)}`)}</p>
<p><strong>${escapeHtml(found)}</strong></p>
<section class="plots">
<figure>${waysPlot(shown)}</figure>
${search.space.map((_, i) => `<figure>${valuePlot(shown, i)}</figure>`).join('\n')}
</section>
<h2>Trials</h2>
<table><thead><tr>${head.map((cell) => `<th>${escapeHtml(cell)}</th>`).join('')}</tr></thead>
<tbody>${body.join('\n')}</tbody></table>
</main></body></html>
`;
}

/** Accuracy at the end of each rung, a line for each trial. */
function waysPlot({ search, trials, results, best }: Shown): string {
  const good = results.filter(({ accuracy }) => accuracy !== undefined);
  const plot = frame(
    'accuracy at the end of each rung',
    'epochs',
    good.map(({ accuracy = 0 }) => accuracy),
  );
  const x = (rung: number) => (search.rungs.length === 1 ? 0.5 : 0.04 + (0.92 * rung) / (search.rungs.length - 1));
  const order = [...trials].sort((a, b) => Number(a.trial === best?.trial) - Number(b.trial === best?.trial));
  const ways = order.map(({ trial }) => {
    const own = good.filter((one) => one.trial === trial);
    const points = own.map(({ rung, accuracy = 0 }) => `${plot.x(x(rung))},${plot.y(accuracy)}`);
    const mark = trial === best?.trial ? ' best' : '';
    const spots = points.map((point) => spot(point, 3, mark, `trial ${trial}`));
    return `<polyline class="way${mark}" points="${points.join(' ')}"/>${spots.join('')}`;
  });
  return plot.svg([...search.rungs.map((epochs, rung) => plot.tick(x(rung), String(epochs))), ...ways].join(''));
}

/** Accuracy against one value; the further a trial came, the larger its spot. */
function valuePlot(shown: Shown, which: number): string {
  const { search, best } = shown;
  const dimension = search.space[which];
  if (dimension === undefined) return '';
  // The recipe's own value may lie outside of what is searched.
  const inside = (value: Plain | undefined) => {
    const place = value === undefined ? Number.NaN : placeOf(dimension, value);
    return place >= 0 && place <= 1;
  };
  const rows = trialRows(shown).filter(
    ({ accuracy, values }) => accuracy !== undefined && inside(values[dimension.key]),
  );
  const title = `${dimension.key}${dimension.kind === 'range' && dimension.scale === 'log' ? ' (log scale)' : ''}`;
  const plot: Frame = frame(
    'accuracy',
    title,
    rows.map(({ accuracy = 0 }) => accuracy),
  );
  const spots = [...rows].reverse().map(({ trial, values, epochs, accuracy = 0 }) => {
    const at = `${plot.x(placeOf(dimension, values[dimension.key] ?? null))},${plot.y(accuracy)}`;
    const size = 3 + 4 * Math.sqrt(epochs / (search.rungs.at(-1) ?? 1));
    return spot(at, size, trial === best?.trial ? ' best' : '', `trial ${trial}: ${valueText(values[dimension.key])}`);
  });
  const ticks = valueTicks(dimension).map(([place, text]) => plot.tick(place, text));
  return plot.svg([...ticks, ...spots].join(''));
}

function spot(at: string, radius: number, mark: string, title: string): string {
  const [x, y] = at.split(',');
  return `<circle class="spot${mark}" cx="${x}" cy="${y}" r="${radius.toFixed(1)}"><title>${escapeHtml(title)}</title></circle>`;
}
