/** Findings about files: those that cannot be read, and those that are not what they seem. */

import type { SkippedFile } from '../data/dataset.ts';
import { plural } from '../evaluate/report-format.ts';
import { endingOf } from './file-format.ts';
import type { Finding } from './finding.ts';
import type { Examined } from './inspect.ts';

const onePerPicture = (pictures: readonly Examined[], detail: (one: Examined) => string) =>
  pictures.map((one) => ({ pictures: [one], detail: detail(one) }));

/** @param skipped files that the reader left out before anything was decoded */
export function checkFiles(examined: readonly Examined[], skipped: readonly SkippedFile[]): Finding[] {
  const findings: Finding[] = [];
  const add = (
    finding: Omit<Finding, 'count' | 'title' | 'cases'>,
    pictures: readonly Examined[],
    noun: readonly [one: string, many: string],
    detail: (one: Examined) => string,
  ) => {
    if (pictures.length === 0) return;
    const title = plural(pictures.length, ...noun);
    findings.push({ ...finding, title, count: pictures.length, cases: onePerPicture(pictures, detail) });
  };
  const unread = examined.filter(({ problem }) => problem !== undefined);
  add(
    {
      kind: 'truncated-files',
      severity: 'problem',
      advice: 'Part of the picture is missing, mostly after a broken download or copy: fetch it again or delete it.',
    },
    unread.filter(({ problem }) => problem?.kind === 'truncated'),
    ['truncated file', 'truncated files'],
    ({ problem }) => problem?.reason ?? '',
  );
  add(
    {
      kind: 'unreadable-files',
      severity: 'problem',
      advice: 'Training would skip these: delete or replace them.',
    },
    unread.filter(({ problem }) => problem?.kind !== 'truncated'),
    ['unreadable file', 'unreadable files'],
    ({ problem }) => problem?.reason ?? '',
  );
  if (skipped.length > 0) {
    findings.push({
      kind: 'left-out-files',
      severity: 'warning',
      title: `${plural(skipped.length, 'file')} that training leaves out`,
      advice: 'Convert them to JPEG or PNG, move them into a class folder, or delete them.',
      count: skipped.length,
      cases: [],
      entries: skipped.map(({ path, reason }) => ({ name: path, detail: reason })),
    });
  }
  add(
    {
      kind: 'wrong-extensions',
      severity: 'warning',
      advice: 'Residual goes by the content, but other programs stumble over these: rename them.',
    },
    examined.filter(({ file, problem }) => file?.endingFits === false && problem === undefined),
    ['file whose ending is wrong', 'files whose ending is wrong'],
    ({ file }) => `is ${file?.format?.toUpperCase()}: rename to ${file?.format && endingOf(file.format)}`,
  );
  add(
    {
      kind: 'exif-rotation',
      severity: 'note',
      advice:
        'Residual turns them upright, as a viewer does; Keras and many scripts do not, and would train on pictures that lie on their side.',
    },
    examined.filter(({ file }) => (file?.orientation ?? 1) !== 1),
    ['picture that is turned by its EXIF tag', 'pictures that are turned by their EXIF tag'],
    ({ file }) => `EXIF orientation ${file?.orientation}`,
  );
  add(
    { kind: 'animations', severity: 'note', advice: 'Only the first frame is used.' },
    examined.filter(({ file }) => (file?.frames ?? 1) > 1),
    ['file with several frames', 'files with several frames'],
    ({ file }) => plural(file?.frames ?? 1, 'frame'),
  );
  add(
    { kind: 'transparency', severity: 'note', advice: 'Transparent parts are laid on white.' },
    examined.filter(({ file }) => file?.transparent === true),
    ['picture with an alpha channel', 'pictures with an alpha channel'],
    () => 'has an alpha channel',
  );
  return findings;
}
