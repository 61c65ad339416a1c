/** How often numbers of each size were seen, in one pass and in little memory, whatever range they turn out to have.
 *  Widths are powers of two and edges their multiples: where the range grows, neighbouring bins are added up exactly, so
 *  that the counts are those of a histogram that knew the range beforehand, in whatever order the numbers came. */

/** Most bins: between half of it and all of it are in use, 16 or 8 for each step of 8 bits. */
const MOST_BINS = 4096;

export class Histogram {
  /** Numbers that are exactly 0. They lie in no bin: 0 is an integer at every scale, so they never lose anything. */
  zeros = 0;
  /** Of all numbers, the zeros too. */
  count = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  /** Of each bin. 0 as long as nothing but 0 was seen. */
  width = 0;
  /** counts[i] is of the numbers in [(first + i) · width, (first + i + 1) · width). The bins reach to 0 at least. */
  first = 0;
  counts = new Float64Array(0);

  /** Numbers that are not finite are seen in `min` and `max`, and counted nowhere. */
  add(numbers: Float32Array): void {
    let [low, high] = [0, 0];
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i];
      if (number < this.min) this.min = number;
      if (number > this.max) this.max = number;
      if (number < low) low = number;
      if (number > high) high = number;
      // Not a number is neither smaller nor larger than anything.
      if (Number.isNaN(number)) this.min = this.max = Number.NaN;
    }
    if (!Number.isFinite(this.max - this.min)) return;
    if (low < high) this.fit(low, high);
    const { first, width, counts } = this;
    const perUnit = 1 / width;
    for (let i = 0; i < numbers.length; i++) {
      if (numbers[i] === 0) this.zeros++;
      else counts[Math.floor(numbers[i] * perUnit) - first]++;
    }
    this.count += numbers.length;
  }

  /** Nothing but 0 was seen, or what is not finite: there is no range to choose. */
  get isFlat(): boolean {
    return this.width === 0 || !Number.isFinite(this.max - this.min);
  }

  /** The lower edge of a bin. */
  edge(bin: number): number {
    return (this.first + bin) * this.width;
  }

  /** The number below which this part of all numbers lies, evenly spread within a bin; 0 ≤ part ≤ 1. */
  quantile(part: number): number {
    const wanted = part * this.count;
    const { counts, width } = this;
    const within = (value: number) => Math.min(Math.max(value, this.min), this.max);
    let below = 0;
    for (let bin = 0; bin < counts.length; bin++) {
      if (this.first + bin === 0) {
        below += this.zeros;
        if (below >= wanted && this.zeros > 0) return within(0);
      }
      if (counts[bin] > 0 && below + counts[bin] >= wanted) {
        return within(this.edge(bin) + (width * (wanted - below)) / counts[bin]);
      }
      below += counts[bin];
    }
    return within(this.max);
  }

  /** Makes room for numbers between `low` and `high`, of which one is not 0. */
  private fit(low: number, high: number): void {
    const old = { first: this.first, width: this.width, counts: this.counts };
    const last = old.first + old.counts.length - 1;
    let width = old.width || 2 ** Math.floor(Math.log2((high - low) / MOST_BINS));
    const from = () => Math.min(Math.floor(low / width), Math.floor((old.first * old.width) / width));
    const to = () => Math.max(Math.floor(high / width), 0, Math.floor((last * old.width) / width));
    while (to() - from() + 1 > MOST_BINS) width *= 2;
    this.width = width;
    this.first = Math.min(from(), 0);
    const bins = to() - this.first + 1;
    if (width === old.width && this.first === old.first && bins === old.counts.length) return;
    this.counts = new Float64Array(bins);
    for (let bin = 0; bin < old.counts.length; bin++) {
      this.counts[Math.floor(((old.first + bin) * old.width) / width) - this.first] += old.counts[bin];
    }
  }
}
