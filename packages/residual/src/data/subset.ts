/** Some samples of a data set as a data set of their own, with labels of their own if wanted: folds of a
 *  cross-validation, a set without its doubtful samples, labels changed to try something. */
import type { BatchRequest, Dataset, ProducedBatch, ProduceOptions } from './dataset.ts';
import { DataError } from './errors.ts';
import { samplesByClass } from './split.ts';

export interface SubsetOptions {
  /** For people. Default: the data set's own. */
  readonly name?: string;
  /** A class index for each sample of the subset. Default: as in the data set. */
  readonly labels?: Int32Array;
}

/**
 * A view: nothing is copied, and closing it leaves the data set open. Sample i of the result is sample `indices[i]` of
 * the data set, with the augmentation that it would get there. The place of a corrupt file is taken by the next readable
 * sample of the subset that has its label, never by one from outside.
 *
 * @param indices samples of `dataset`, each at most once
 * @throws DataError for indices out of range or given twice, and labels that do not fit
 */
export function subset(dataset: Dataset, indices: ArrayLike<number>, options: SubsetOptions = {}): Dataset {
  return new Subset(dataset, Int32Array.from(indices), options);
}

class Subset implements Dataset {
  readonly name: string;
  readonly classes: readonly string[];
  readonly size: number;
  readonly imageShape: Dataset['imageShape'];
  readonly labels: Int32Array;
  readonly produce?: NonNullable<Dataset['produce']>;
  readonly fileOf?: NonNullable<Dataset['fileOf']>;
  readonly nameOf?: NonNullable<Dataset['nameOf']>;
  private readonly whole: Dataset;
  private readonly rows: Int32Array;
  /** The subset's index of each sample of the whole, −1 for those outside. */
  private readonly places: Int32Array;
  private readonly bad = new Set<number>();
  private members: Map<number, number[]> | undefined;

  constructor(whole: Dataset, rows: Int32Array, { name = whole.name, labels }: SubsetOptions) {
    this.whole = whole;
    this.rows = rows;
    this.name = name;
    this.classes = whole.classes;
    this.size = rows.length;
    this.imageShape = whole.imageShape;
    this.labels = labels ?? rows.map((row) => whole.labels[row]);
    if (this.labels.length !== rows.length) {
      throw new DataError(`${name}: a subset of ${rows.length} samples has ${this.labels.length} labels`);
    }
    const label = this.labels.find((one) => !(one >= 0 && one < whole.classes.length));
    if (label !== undefined) {
      throw new DataError(`${name}: labels are whole numbers from 0 to ${whole.classes.length - 1}, received ${label}`);
    }
    this.places = new Int32Array(whole.size).fill(-1);
    rows.forEach((row, place) => {
      if (!(row >= 0 && row < whole.size)) {
        throw new DataError(`${whole.name} has samples 0 to ${whole.size - 1}, asked for ${row}`);
      }
      if (this.places[row] >= 0) throw new DataError(`${name}: sample ${row} is in the subset twice`);
      this.places[row] = place;
    });
    const { fileOf, nameOf } = whole;
    if (fileOf !== undefined) this.fileOf = (index) => fileOf.call(whole, rows[index]);
    if (nameOf !== undefined) this.nameOf = (index) => nameOf.call(whole, rows[index]);
    if (whole.produce !== undefined) this.produce = (request, produceOptions) => this.make(request, produceOptions);
  }

  get skipped(): Dataset['skipped'] {
    return this.whole.skipped;
  }

  /** As the whole's: its stand-in for a corrupt file may lie outside, and is then left to stand as it is read. */
  async read(indices: ArrayLike<number>): Promise<{ images: Uint8Array; indices: Int32Array }> {
    const wanted = Int32Array.from(indices);
    const { images, indices: rows } = await this.whole.read(this.rowsOf(wanted));
    return { images, indices: rows.map((row, i) => (this.places[row] >= 0 ? this.places[row] : wanted[i])) };
  }

  async close(): Promise<void> {}

  private rowsOf(indices: Int32Array): Int32Array<ArrayBuffer> {
    return Int32Array.from(indices, (index) => {
      if (!(index >= 0 && index < this.size)) {
        throw new DataError(`${this.name} has samples 0 to ${this.size - 1}, asked for ${index}`);
      }
      return this.rows[index];
    });
  }

  private async make(request: BatchRequest, options?: ProduceOptions): Promise<ProducedBatch> {
    const rows = this.rowsOf(request.indices);
    const made = await this.producePart({ ...request, indices: rows, corrupt: 'drop' }, options);
    const found = { images: made.images, indices: made.indices.map((row) => this.places[row]) };
    if (found.indices.length === rows.length || request.corrupt === 'drop') return found;
    return this.fill(request, found, options);
  }

  /** Gives the places of corrupt files to the next readable samples with their labels. */
  private async fill(request: BatchRequest, found: ProducedBatch, options?: ProduceOptions): Promise<ProducedBatch> {
    const length = this.imageShape.reduce((a, b) => a * b, 1);
    const images = new Float32Array(request.indices.length * length);
    const indices = new Int32Array(request.indices.length);
    let next = 0;
    for (const [place, wanted] of request.indices.entries()) {
      let image = found.images.subarray(next * length, (next + 1) * length);
      let index = wanted;
      if (found.indices[next] === wanted) next++;
      else ({ image, index } = await this.standIn(wanted, request, options));
      images.set(image, place * length);
      indices[place] = index;
    }
    return { images, indices };
  }

  private async standIn(
    index: number,
    request: BatchRequest,
    options?: ProduceOptions,
  ): Promise<{ image: Float32Array<ArrayBuffer>; index: number }> {
    this.bad.add(index);
    this.members ??= samplesByClass(this.labels);
    const members = this.members.get(this.labels[index]) ?? [];
    const at = members.indexOf(index);
    for (let step = 1; step < members.length; step++) {
      const candidate = members[(at + step) % members.length];
      if (this.bad.has(candidate)) continue;
      const indices = Int32Array.of(this.rows[candidate]);
      const { images, indices: there } = await this.producePart({ ...request, indices, corrupt: 'drop' }, options);
      if (there.length === 1) return { image: images, index: candidate };
      this.bad.add(candidate);
    }
    throw new DataError(`none of the images of class '${this.classes[this.labels[index]]}' can be read`);
  }

  private producePart(request: BatchRequest, options?: ProduceOptions): Promise<ProducedBatch> {
    if (this.whole.produce === undefined) throw new Error('internal: the data set does not make batches');
    return this.whole.produce(request, options);
  }
}
