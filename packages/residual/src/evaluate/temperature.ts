/** Temperature scaling (Guo et al. 2017): one number, fitted on held-out images, by which logits are divided so that
 *  probabilities mean what they say. No prediction changes, only how sure it is. */

/** Beyond these a temperature says that the images are too few or all right. */
const [least, most] = [0.05, 20];

export interface TemperatureFit {
  /** Above 1 the network was too sure of itself. */
  readonly temperature: number;
  /** Mean cross-entropy in nats on the images of the fit, before and after. */
  readonly lossBefore: number;
  readonly lossAfter: number;
}

/**
 * Finds the temperature with the least cross-entropy, between 0.05 and 20. The loss is convex in β = 1/T; its minimum is
 * found by Newton's steps that fall back on halving.
 *
 * @param probabilities samples × classes, row-major; their logarithms are the logits but for a constant, which does not
 *   matter
 */
export function fitTemperature(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
): TemperatureFit {
  const logits = Float64Array.from(probabilities, (p) => Math.log(Math.max(p, Number.MIN_VALUE)));
  let [low, high] = [1 / most, 1 / least];
  let beta = 1;
  for (let round = 0; round < 60 && high - low > 1e-9; round++) {
    const { slope, curvature } = derivatives(logits, labels, classes, beta);
    if (slope > 0) high = beta;
    else low = beta;
    const newton = beta - slope / curvature;
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (Math.abs(next - beta) < 1e-10) break;
    beta = next;
  }
  const before = derivatives(logits, labels, classes, 1).loss;
  return { temperature: 1 / beta, lossBefore: before, lossAfter: derivatives(logits, labels, classes, beta).loss };
}

/** p^(1/T), brought back to a sum of 1, row by row: what softmax(logits / T) gives. */
export function withTemperature(probabilities: ArrayLike<number>, classes: number, temperature: number): Float64Array {
  const scaled = new Float64Array(probabilities.length);
  for (let start = 0; start < scaled.length; start += classes) {
    let top = 0;
    for (let k = 0; k < classes; k++) top = Math.max(top, probabilities[start + k]);
    let sum = 0;
    for (let k = 0; k < classes; k++) {
      // Against the greatest, so that a small temperature does not underflow.
      scaled[start + k] = (probabilities[start + k] / top) ** (1 / temperature);
      sum += scaled[start + k];
    }
    for (let k = 0; k < classes; k++) scaled[start + k] /= sum;
  }
  return scaled;
}

/** Mean loss and its first and second derivative by β: mean of E[z] − z(truth), and of Var[z]. */
function derivatives(logits: Float64Array, labels: ArrayLike<number>, classes: number, beta: number) {
  let [loss, slope, curvature] = [0, 0, 0];
  for (let i = 0; i < labels.length; i++) {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    const top = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    let [sum, first, second] = [0, 0, 0];
    for (const z of row) {
      const weight = Math.exp(beta * (z - top));
      sum += weight;
      first += weight * z;
      second += weight * z * z;
    }
    const mean = first / sum;
    loss += Math.log(sum) + beta * (top - row[labels[i]]);
    slope += mean - row[labels[i]];
    curvature += second / sum - mean * mean;
  }
  const n = Math.max(1, labels.length);
  return { loss: loss / n, slope: slope / n, curvature: Math.max(curvature / n, 1e-12) };
}
