/** TensorBoard event files of a run: scalars, the first images as they are learned, histograms of the weights.
 *  `tensorboard --logdir runs` shows them; resumed runs go on without doubled or lost steps. */

import { loadSharp } from '../../data/node/decode.ts';
import { ModelError } from '../../models/errors.ts';
import { node } from '../../models/files.ts';
import { AppendFile } from '../append-file.ts';
import { type SummaryValue, startEvent, summaryEvent, versionEvent } from '../tensorboard/event.ts';
import { histogramOf } from '../tensorboard/histogram.ts';
import type { Callback, CallbackRun, SampleImages } from './callback.ts';

export interface TensorBoardOptions {
  /** Default `tensorboard` in the run's folder. */
  readonly directory?: string;
  /** Scalars of every so many steps. Default 1. */
  readonly every?: number;
  /** Histograms of all weights every so many epochs; 0 for none. Default 1. */
  readonly histograms?: number;
  /** How many training images to show, at the beginning; 0 for none. Default 8. */
  readonly images?: number;
}

interface State {
  /** Tells this run's files from those of others in the same folder. */
  readonly run: string;
  /** The last step that was written. */
  readonly step: number;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
}

const FILE = /^events\.out\.tfevents\.\d+\.([0-9a-f]{8})\.\d{4}$/;

/**
 * Writes event files in TensorBoard's format (TFRecord frames of `brain.Event:2`). Tags: `train/loss`,
 * `train/accuracy`, `train/learning_rate`, `train/images_per_second` per step; `epoch/loss`, `epoch/accuracy`,
 * `validation/loss`, `validation/accuracy` and `weights/NAME` per epoch, all at the run's step.
 *
 * Each sitting, and each setback, begins a new file, as readers expect of files that they have read; the files before
 * are cut to the checkpoint.
 *
 * @throws ModelError for impossible options, or where there is no folder to write to
 * @throws WriteError
 */
export function tensorBoard(options: TensorBoardOptions = {}): Callback {
  const { every = 1, histograms = 1, images = 8 } = options;
  whole('every', every, 1);
  whole('histograms', histograms, 0);
  whole('images', images, 0);
  const events = new EventFolder();
  const write = (step: number, values: readonly SummaryValue[]) => {
    if (values.length > 0) events.append(step, summaryEvent(Date.now() / 1000, step, values));
  };
  return {
    name: 'tensorBoard',
    getState: () => ({ ...events.state }),
    setState(state) {
      events.goBack(state as unknown as State);
    },
    async onTrainBegin(run) {
      const { directory } = options;
      if (directory === undefined && run.directory === undefined) {
        throw new ModelError('tensorBoard: needs a directory, for the run has none');
      }
      // What a run left that was killed before its first checkpoint; in a folder of the user's nothing is removed.
      const isNew = events.begin(
        directory ?? node().path.join(run.directory ?? '', 'tensorboard'),
        directory === undefined,
      );
      if (isNew && images > 0 && run.samples) write(0, await imageValues(await run.samples(images)));
    },
    onStep({ step, loss, accuracy, learningRate, imagesPerSecond }) {
      if (step % every !== 0) return;
      const values = { loss, accuracy, learning_rate: learningRate, images_per_second: imagesPerSecond };
      // The speed is not known before the second step.
      write(step, scalars('train', imagesPerSecond > 0 ? values : { ...values, images_per_second: undefined }));
    },
    async onEpoch({ epoch, step, loss, accuracy, validationLoss, validationAccuracy }, run) {
      const validation = { loss: validationLoss, accuracy: validationAccuracy };
      write(step, [...scalars('epoch', { loss, accuracy }), ...scalars('validation', validation)]);
      if (histograms > 0 && epoch % histograms === 0) write(step, await weightValues(run));
    },
    onTrainEnd() {
      events.close();
    },
  };
}

/** The files of one run. */
class EventFolder {
  private folder: string | undefined;
  private current: State = { run: crypto.randomUUID().slice(0, 8), step: 0, files: [] };
  private resumed = false;
  private file: AppendFile | undefined;

  /** On the disk when it is asked for, as a checkpoint is about to count on it. */
  get state(): State {
    this.file?.sync();
    return this.measured();
  }

  /** @returns true for a run that begins. */
  begin(folder: string, isOurs: boolean): boolean {
    this.folder = folder;
    const { fs, path } = node();
    if (!this.resumed && isOurs) {
      for (const name of fs.existsSync(folder) ? fs.readdirSync(folder) : []) {
        if (FILE.test(name)) fs.rmSync(path.join(folder, name));
      }
    }
    if (this.resumed) this.cut();
    this.next();
    return !this.resumed;
  }

  append(step: number, record: Uint8Array): void {
    this.file?.append(record);
    this.current = { ...this.current, step };
  }

  /** To where a checkpoint stood; begins a new file where the run is under way. */
  goBack(state: State): void {
    this.current = state;
    this.resumed = true;
    if (this.file === undefined) return;
    this.file.close();
    this.cut();
    this.next();
  }

  close(): void {
    if (!this.file) return;
    this.current = this.measured();
    this.file.close();
    this.file = undefined;
  }

  private measured(): State {
    const { current, file } = this;
    const name = file && node().path.basename(file.file);
    const files = current.files.map((one) => (one.name === name ? { name, bytes: file?.bytes ?? 0 } : one));
    return { ...current, files };
  }

  /** Cuts the run's files to their state, and removes those that came later. */
  private cut(): void {
    const { fs, path } = node();
    const folder = this.folder ?? '';
    const known = new Map(this.current.files.map(({ name, bytes }) => [name, bytes]));
    for (const name of fs.existsSync(folder) ? fs.readdirSync(folder) : []) {
      if (FILE.exec(name)?.[1] !== this.current.run) continue;
      const bytes = known.get(name);
      if (bytes === undefined) fs.rmSync(path.join(folder, name));
      else AppendFile.open(path.join(folder, name), bytes).close();
    }
  }

  private next(): void {
    const { run, step, files } = this.current;
    const seconds = Date.now() / 1000;
    const number = String(files.length).padStart(4, '0');
    const name = `events.out.tfevents.${Math.floor(seconds)}.${run}.${number}`;
    this.file = AppendFile.open(node().path.join(this.folder ?? '', name), 0);
    this.file.append(versionEvent(seconds));
    if (files.length > 0) this.file.append(startEvent(seconds, step + 1));
    this.current = { run, step, files: [...files, { name, bytes: 0 }] };
  }
}

function scalars(group: string, values: Readonly<Record<string, number | undefined>>): SummaryValue[] {
  return Object.entries(values).flatMap(([name, scalar]) =>
    scalar === undefined ? [] : [{ tag: `${group}/${name}`, scalar }],
  );
}

async function weightValues({ model }: CallbackRun): Promise<SummaryValue[]> {
  return Promise.all(
    model.weights.map(async (weight) => {
      const values = (await weight.read().data()) as Float32Array;
      return { tag: `weights/${weight.originalName}`, histogram: histogramOf(values) };
    }),
  );
}

async function imageValues({ pixels, shape, count }: SampleImages): Promise<SummaryValue[]> {
  const sharp = await loadSharp();
  const [height, width] = shape;
  const channels = shape[2] === 1 ? 1 : 3;
  if (shape[2] !== channels) return []; // four channels are no picture
  const length = height * width * channels;
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const raw = pixels.subarray(i * length, (i + 1) * length);
      const png = await sharp(raw, { raw: { height, width, channels } }).png().toBuffer();
      return { tag: `train/images/${i}`, image: { height, width, channels, png } as const };
    }),
  );
}

function whole(name: string, value: number, least: number): void {
  if (!(Number.isInteger(value) && value >= least)) {
    throw new ModelError(`tensorBoard: ${name} must be a whole number from ${least} up, received ${value}`);
  }
}
