/** Numbers as people read them: counts, percentages, durations, axis labels.
 *  The report and the command line print through these, so that they never disagree about a number. */

/** 12000 → `12,000`. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** 11172810 → `11.2 M`; below 10,000 the exact count. */
export function compact(value: number): string {
  const units = ['', ' k', ' M', ' G', ' T', ' P'] as const;
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) < 10_000) return count(value);
  let power = Math.min(units.length - 1, Math.floor(Math.log10(Math.abs(value)) / 3));
  // 999,960 would round to "1000 k".
  if (Math.abs(value) / 1000 ** power >= 999.5 && power < units.length - 1) power++;
  const scaled = value / 1000 ** power;
  const digits = Math.abs(scaled) >= 99.95 ? 0 : Math.abs(scaled) >= 9.995 ? 1 : 2;
  return `${scaled.toFixed(digits)}${units[power]}`;
}

/** 0.9134 → `91.3 %`. */
export function percent(fraction: number, digits = 1): string {
  return Number.isFinite(fraction) ? `${(fraction * 100).toFixed(digits)} %` : '–';
}

/** Losses and the like: four significant digits at most, never in exponent notation between 0.001 and 100,000. */
export function decimal(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'not a number' : value > 0 ? '∞' : '−∞';
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 0.0005 || size >= 100_000) return value.toExponential(1).replace('e+', 'e');
  return value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : 3);
}

/** As few digits as say enough: 0.1 → `0.1`, 0.0005 → `0.0005`, 0.0000056 → `5.6e-6`. */
export function plain(value: number): string {
  if (!Number.isFinite(value)) return decimal(value);
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e15) return value.toExponential(1).replace('.0e', 'e').replace('e+', 'e');
  return Number(value.toPrecision(size >= 1000 ? 15 : 4)).toString();
}

/** Seconds → `8.4 s`, `4 min 32 s`, `1 h 05 min`, `2 d 3 h`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '–';
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
  const hours = Math.round(seconds / 3600);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Seconds as a clock, for the progress bar: `0:07`, `12:05`, `1:02:09`. */
export function clock(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '-:--';
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, '0');
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** 1536 → `1.5 KiB`. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;
  let power = 0;
  let scaled = value;
  while (scaled >= 1023.5 && power < units.length - 1) {
    scaled /= 1024;
    power++;
  }
  return `${power === 0 || scaled >= 99.95 ? scaled.toFixed(0) : scaled.toFixed(1)} ${units[power]}`;
}

/** One noun for one, another for more: `1 image`, `2,000 images`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** [28, 28, 1] → `28×28×1`. */
export function shapeText(shape: readonly number[]): string {
  return shape.join('×');
}

/**
 * The 95 % interval of a proportion by Wilson's score, which stays inside 0–1 and holds for small counts
 * (E. B. Wilson, JASA 1927). Returns fractions.
 */
export function wilson(hits: number, total: number): readonly [low: number, high: number] {
  if (total <= 0) return [0, 1];
  const z = 1.959964;
  const p = hits / total;
  const centre = p + (z * z) / (2 * total);
  const spread = z * Math.sqrt((p * (1 - p)) / total + (z * z) / (4 * total * total));
  const scale = 1 + (z * z) / total;
  return [Math.max(0, (centre - spread) / scale), Math.min(1, (centre + spread) / scale)];
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Makes any text safe inside HTML and SVG, in content as in attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
