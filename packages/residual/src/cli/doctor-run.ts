/** The work of `residual doctor DATA`: opens the data as training would, examines it, writes the page, gives the verdict.
 *  What is a run is passed on to `doctor-labels.ts`. */

import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { closeSplits } from '../data/dataset.ts';
import { openData } from '../data/node/open.ts';
import { type Diagnosis, diagnose, diagnosisJson, verdictOf } from '../doctor/data-doctor.ts';
import { dataPage } from '../doctor/data-page.ts';
import { count, plural } from '../evaluate/report-format.ts';
import { writeAside } from '../models/files.ts';
import type { Values } from './command.ts';
import { defaultData, runsFolder } from './defaults.ts';
import type { doctorOptions } from './doctor.ts';
import { liveWork } from './live-work.ts';
import { drawBar } from './progress.ts';
import { type Style, styleOf } from './style.ts';

export type DoctorValues = Values<typeof doctorOptions>;

export async function doctor([typed = '']: readonly string[], values: DoctorValues): Promise<number> {
  if (isRun(typed)) return (await import('./doctor-labels.ts')).doctorLabels(typed, values);
  return doctorData(typed, values);
}

/** A folder with a run or a model in it, there or under runs/; data of that name comes first. */
function isRun(typed: string): boolean {
  const holdsRun = (folder: string) => ['run.json', 'model.json'].some((file) => existsSync(join(folder, file)));
  if (typed === defaultData) return false;
  return holdsRun(typed) || (!existsSync(typed) && holdsRun(join(runsFolder, typed)));
}

async function doctorData(typed: string, values: DoctorValues): Promise<number> {
  const style = styleOf(process.stderr);
  const { validation, seed = 1, workers } = values;
  const splits = await openData(typed, { seed, ...(validation === undefined ? {} : { validation }) });
  return liveWork(
    values,
    async ({ signal, report, clear }) => {
      const diagnosis = await diagnose(splits, {
        signal,
        ...(workers === undefined ? {} : { workers }),
        onProgress: (done, total) => report((width) => progressText(done, total, width, style)),
      });
      clear();
      const folder = values.out ?? join('doctor', basename(resolve(typed)));
      const page = join(folder, 'doctor.html');
      await writeAside(page, [await dataPage(diagnosis, splits, new Date())]);
      await writeAside(join(folder, 'doctor.json'), [`${JSON.stringify(diagnosisJson(diagnosis), null, 2)}\n`]);
      const verdict = verdictOf(diagnosis);
      const text =
        values.json === true
          ? JSON.stringify({ data: typed, pictures: diagnosis.pictures, verdict, page })
          : [...verdictLines(diagnosis, styleOf(process.stdout)), '', `page ${page}`].join('\n');
      process.stdout.write(`${text}\n`);
      return values.strict === true && verdict.problem > 0 ? 1 : 0;
    },
    async () => {
      await closeSplits(splits);
    },
  );
}

/** `examining ━━━━──── 1,200/5,000 images`. */
function progressText(done: number, total: number, width: number, style: Style): string {
  const text = `${count(done).padStart(count(total).length)}/${count(total)} images`;
  const room = Math.min(40, width - text.length - 13);
  return room < 8 ? text : `examining  ${drawBar(done / total, room, style)}  ${text}`;
}

/** Each finding with what to do, the worst first; then the count. */
function verdictLines(diagnosis: Diagnosis, style: Style): string[] {
  const colour = { problem: style.red, warning: style.yellow, note: style.dim };
  const lines = diagnosis.findings.flatMap(({ severity, title, advice, cases, entries = [] }) => {
    const examples = [
      ...cases.slice(0, 2).map(({ pictures }) =>
        pictures
          .slice(0, 3)
          .map(({ name }) => name)
          .join(', '),
      ),
      ...entries.slice(0, 2).map(({ name, detail }) => `${name} (${detail})`),
    ];
    return [
      `${colour[severity](severity.padEnd(7))}  ${title}`,
      ...(severity === 'note' ? [] : [...examples, advice].map((text) => `         ${style.dim(text)}`)),
    ];
  });
  const { problem, warning, note } = verdictOf(diagnosis);
  const words = [
    ...(problem > 0 ? [plural(problem, 'problem')] : []),
    ...(warning > 0 ? [plural(warning, 'warning')] : []),
    ...(note > 0 ? [plural(note, 'note')] : []),
  ];
  const verdict = words.length === 0 ? 'nothing is wrong' : words.join(', ');
  return [
    ...lines,
    ...(lines.length === 0 ? [] : ['']),
    style.bold(
      `${verdict} in ${plural(diagnosis.pictures, 'picture')} of ${plural(diagnosis.classes.length, 'class', 'classes')}`,
    ),
  ];
}
