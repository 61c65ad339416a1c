/** How fast a run goes, over its last steps; pauses for validation and checkpoints do not count. */

const WINDOW = 20;

export class Meter {
  private marks: { readonly time: number; readonly images: number }[] = [];
  private last: { readonly imagesPerSecond: number; readonly secondsPerStep: number } | undefined;

  /** A step of so many images has ended, at a time in seconds. */
  tick(images: number, time: number): void {
    this.marks.push({ time, images });
    if (this.marks.length > WINDOW + 1) this.marks.shift();
    const [first, ...rest] = this.marks;
    if (!first || rest.length === 0 || time <= first.time) return;
    const seen = rest.reduce((sum, mark) => sum + mark.images, 0);
    const seconds = time - first.time;
    this.last = { imagesPerSecond: seen / seconds, secondsPerStep: seconds / rest.length };
  }

  /** Something else than a step comes next. */
  pause(): void {
    this.marks = [];
  }

  /** 0 until two steps have ended. */
  get imagesPerSecond(): number {
    return this.last?.imagesPerSecond ?? 0;
  }

  get secondsPerStep(): number | undefined {
    return this.last?.secondsPerStep;
  }
}
