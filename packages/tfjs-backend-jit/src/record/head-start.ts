/**
 * Which program a recording will turn out to be, told from its first operation: programs that come again and again
 * (inference, image after image) are started then, and record while they compute. A wrong guess costs a run in vain.
 */
import type { Loaded } from '../runtime/engine.ts';
import type { Entry, Node, Recording } from './recording.ts';

/** What began with the same operation before. */
interface Routine {
  key: string;
  program: Loaded;
  /** Its leaves: what the first operation reads, by its place there, or else the very value of last time. */
  leaves: readonly (number | Entry)[];
  /** Times in a row that it came, and how many are asked for. */
  seen: number;
  needed: number;
}

/** A program to start, and what it reads. */
export interface Guess {
  readonly key: string;
  readonly program: Loaded;
  readonly leaves: readonly Entry[];
}

/** Recordings that are remembered. */
const MOST = 32;
/** After so many equal runs a program is started early; each wrong guess doubles it, up to the limit. */
const FIRST_NEEDED = 2;
const MOST_NEEDED = 256;

export class HeadStarts {
  private readonly routines = new Map<string, Routine>();

  /** The program that a recording which begins with `node` is likely to be, if all that it reads is there. */
  guess(node: Node): Guess | undefined {
    if (this.routines.size === 0) return undefined;
    const name = nameOf(node);
    const routine = this.routines.get(name);
    if (routine === undefined || routine.seen < routine.needed) return undefined;
    const leaves: Entry[] = [];
    for (const leaf of routine.leaves) {
      const entry = typeof leaf === 'number' ? node.inputs[leaf].entry : leaf;
      if (entry.node !== undefined || entry.failure !== undefined) return undefined;
      if (typeof leaf !== 'number' && (entry.refCount === 0 || entry.device === undefined)) return undefined;
      leaves.push(entry);
    }
    this.routines.delete(name); // put back as the latest
    this.routines.set(name, routine);
    return { key: routine.key, program: routine.program, leaves };
  }

  /** Takes note of what was recorded and had not been started; `missed` if something else had been in its place. */
  learn({ nodes, key, leaves }: Recording, program: Loaded, missed: boolean): void {
    const [first] = nodes;
    const name = nameOf(first);
    const routine = this.routines.get(name);
    const before = routine?.needed ?? FIRST_NEEDED;
    const later = Math.min(before * 2, MOST_NEEDED);
    const { outputs, writesInputs } = program.compiled;
    if (program.small || writesInputs || outputs.some(({ kind }) => kind !== 'fresh')) {
      if (routine !== undefined) Object.assign(routine, { seen: 0, needed: later });
      return;
    }
    const given = leaves.map((leaf) => {
      const place = first.inputs.findIndex(({ entry }) => entry === leaf);
      return place >= 0 ? place : leaf;
    });
    const again = !missed && routine?.key === key && routine.leaves.every((leaf, i) => leaf === given[i]);
    const [seen, needed] = [again ? routine.seen + 1 : 0, missed ? later : before];
    this.routines.delete(name);
    this.routines.set(name, { key, program, leaves: given, seen, needed });
    const [oldest] = this.routines.keys();
    if (this.routines.size > MOST) this.routines.delete(oldest);
  }

  /** A program whose memory goes. */
  forget(program: Loaded): void {
    for (const [name, routine] of this.routines) if (routine.program === program) this.routines.delete(name);
  }
}

/** Whether a guess was the recording to the letter: the same program on the same values. */
export function isRight(guess: Guess, key: string, leaves: readonly Entry[]): boolean {
  return (
    guess.key === key && guess.leaves.length === leaves.length && guess.leaves.every((leaf, i) => leaf === leaves[i])
  );
}

const nameOf = ({ kernel, inputs, attrs }: Node): string =>
  `${kernel}${inputs.map(({ shape, dtype }) => `${dtype}[${shape}]`)}${JSON.stringify(attrs)}`;
