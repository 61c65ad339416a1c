/** Keras's `flow_from_directory`: sub-folders are classes, and their files at any depth are samples. */
import { DataError } from '../../data/errors.ts';
import { groupCopies } from '../../data/node/duplicates.ts';
import { scanClasses } from '../../data/node/scan.ts';
import type { FlowSource } from '../flow.ts';
import { rowsOf } from '../subset.ts';
import type { ClassMode } from '../targets.ts';
import { classTargets, mustBeTwo } from '../targets.ts';
import type { FileFlowOptions } from './files.ts';
import { fileDataset } from './files.ts';

export interface DirectoryFlowOptions extends FileFlowOptions {
  /** The sub-folders to use, in the order of their indices. Default: all, sorted by name. */
  readonly classes?: readonly string[];
  /** What is yielded beside the pictures. Default `categorical`. */
  readonly classMode?: ClassMode;
  /** Look into linked folders inside class folders. Default false. */
  readonly followLinks?: boolean;
}

const MODES: readonly ClassMode[] = ['categorical', 'binary', 'sparse', 'input', null];

export async function directorySource(
  directory: string,
  options: DirectoryFlowOptions,
  generator: Pick<FlowSource, 'settings' | 'fitted'>,
): Promise<FlowSource> {
  const { classMode = 'categorical', followLinks = false } = options;
  if (!MODES.includes(classMode)) {
    throw new DataError(`classMode must be one of ${MODES.map(String).join(', ')}, received '${classMode}'`);
  }
  const repeated = options.classes?.find((name, i, all) => all.indexOf(name) !== i);
  if (repeated !== undefined) throw new DataError(`classes must differ, received '${repeated}' twice`);
  const scan = await scanClasses(directory, { classes: options.classes, followLinks });
  const classes = scan.classes.map(({ name }) => name);
  mustBeTwo(classMode, classes);
  const files = scan.classes.flatMap((folder) => folder.files);
  const labels = Int32Array.from(scan.classes.flatMap((folder, index) => folder.files.map(() => index)));
  const copies = () => groupCopies(directory, files);
  const rows = await rowsOf(options.subset, labels, generator.settings, copies);
  const chosen = {
    name: directory,
    root: directory,
    paths: Array.from(rows, (row) => files[row].path),
    labels: rows.map((row) => labels[row]),
    classes,
    skipped: scan.skipped,
  };
  return {
    ...generator,
    dataset: await fileDataset(chosen, options),
    targets: classTargets(classMode, chosen.labels, classes.length),
    filenames: chosen.paths,
  };
}
