/** Whether probabilities mean what they say: of images called something with 80 %, 80 % should be that.
 *  C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017; the Brier score after G. Brier, 1950. */

/** Images whose confidence (greatest probability) lies in (low, high]; the first bin includes 0. */
export interface ReliabilityBin {
  readonly low: number;
  readonly high: number;
  readonly images: number;
  /** Mean confidence; NaN in an empty bin. */
  readonly confidence: number;
  /** The fraction that was right; NaN in an empty bin. */
  readonly accuracy: number;
}

export interface Calibration {
  /** Expected calibration error: |accuracy − confidence|, averaged over the bins by their images. 0 is perfect. */
  readonly ece: number;
  /** Maximum calibration error: the worst bin's. */
  readonly mce: number;
  /** Mean over the images of Σ (probability − truth)² over all classes: 0 is perfect, 2 the worst. */
  readonly brier: number;
  /** Mean confidence less accuracy: above 0 the network is too sure of itself. */
  readonly overconfidence: number;
  readonly bins: readonly ReliabilityBin[];
}

/**
 * @param probabilities samples × classes, row-major
 * @param bins of equal width. Default 15, as in the paper
 */
export function calibrationOf(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
  bins = 15,
): Calibration {
  const counts = new Int32Array(bins);
  const hits = new Int32Array(bins);
  const sums = new Float64Array(bins);
  let brier = 0;
  for (let i = 0; i < labels.length; i++) {
    let best = 0;
    for (let k = 0; k < classes; k++) {
      const p = probabilities[i * classes + k];
      if (p > probabilities[i * classes + best]) best = k;
      brier += (p - (k === labels[i] ? 1 : 0)) ** 2;
    }
    const confidence = probabilities[i * classes + best];
    const bin = Math.min(bins - 1, Math.max(0, Math.ceil(confidence * bins) - 1));
    counts[bin]++;
    sums[bin] += confidence;
    if (best === labels[i]) hits[bin]++;
  }
  const n = labels.length;
  const list = Array.from(counts, (images, b) => ({
    low: b / bins,
    high: (b + 1) / bins,
    images,
    confidence: sums[b] / images,
    accuracy: hits[b] / images,
  }));
  const full = list.filter(({ images }) => images > 0);
  const gap = ({ confidence, accuracy }: ReliabilityBin) => Math.abs(accuracy - confidence);
  const total = (of: (bin: ReliabilityBin) => number) => full.reduce((sum, bin) => sum + bin.images * of(bin), 0) / n;
  return {
    ece: total(gap),
    mce: Math.max(0, ...full.map(gap)),
    brier: brier / n,
    overconfidence: total(({ confidence, accuracy }) => confidence - accuracy),
    bins: list,
  };
}
