/** Numbers as people read and hear them. */

/** `97.3 %`, `< 0.1 %`; never 100 % for what is not certain. */
export function percent(probability: number): string {
  if (probability > 0 && probability < 0.001) return '< 0.1 %';
  if (probability < 1 && probability > 0.999) return '> 99.9 %';
  return `${(100 * probability).toFixed(1)} %`;
}

/** `8.2 ms`, `41 ms`, `1.3 s`. */
export function duration(milliseconds: number): string {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`;
}

/** How sure the model is, in a few words, by its most probable class. */
export function certainty(probability: number): string {
  if (probability >= 0.9) return 'Quite sure';
  if (probability >= 0.6) return 'Probably';
  return probability >= 0.35 ? 'Perhaps' : 'Only a guess';
}
