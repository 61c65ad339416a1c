/**
 * The bench's side of a peer: starts the process, gives it its turns, and reads its peak memory.
 * A peer that fails says so in one line; it never takes the bench down with it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import type { Measured, Ready } from './protocol.ts';

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export class Peer {
  readonly name: string;
  readonly ready: Ready;
  private readonly channel: Channel;
  private peak = 0;

  private constructor(name: string, channel: Channel, ready: Ready) {
    this.name = name;
    this.channel = channel;
    this.ready = ready;
  }

  /** Starts a peer and waits until its network stands. Throws with the process's own last words. */
  static async start(name: string, command: Command): Promise<Peer> {
    const channel = new Channel(name, command);
    return new Peer(name, channel, (await channel.next()) as Ready);
  }

  /** Gives it one turn of at least `seconds` and at least one batch. */
  async turn(seconds: number): Promise<Measured> {
    const measured = (await this.channel.ask({ seconds })) as Measured;
    this.peak = Math.max(this.peak, measured.peakBytes);
    return measured;
  }

  /** The most memory that the process has had resident so far, in bytes. */
  get peakBytes(): number {
    return highWaterMark(this.ready.memoryOf ?? this.channel.pid) ?? this.peak;
  }

  async end(): Promise<void> {
    await this.channel.end();
  }
}

/** Linux's own count, which holds for every language alike; undefined elsewhere. */
export function highWaterMark(pid: number | undefined): number | undefined {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}

/** The line that names the error where there is one, in Node's stack traces as in Python's; else the last line. */
function lastWords(stderr: string): string {
  const lines = stderr.trim().split('\n');
  return (lines.findLast((line) => /^(\w*Error|\w*Exception)\b/.test(line)) ?? lines.at(-1) ?? '').trim();
}

/** One line of JSON out, one line of JSON in. */
class Channel {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;
  private readonly closed: Promise<string>;
  private stderr = '';

  constructor(name: string, { file, args, env }: Command) {
    this.child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    const { stdout, stderr } = this.child;
    if (stdout === null) throw new Error('internal: a peer without stdout');
    const reader: Interface = createInterface({ input: stdout });
    this.lines = reader[Symbol.asyncIterator]();
    stderr?.on('data', (data) => {
      this.stderr = `${this.stderr}${data}`.slice(-4000);
    });
    // Writing to a process that has died raises here; its end is told by `closed`.
    this.child.stdin?.on('error', () => {});
    this.closed = new Promise((resolve) => {
      this.child.on('error', (error) => resolve(`${name}: ${error.message}`));
      this.child.on('close', (code, signal) => {
        const words = lastWords(this.stderr);
        resolve(`${name} ended with ${signal ?? `exit code ${code}`}${words === '' ? '' : `: ${words}`}`);
      });
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** The next line that is JSON: libraries print notices of their own. */
  async next(): Promise<unknown> {
    for (;;) {
      const line = await this.lines.next();
      if (line.done) throw new Error(await this.closed);
      if (line.value.startsWith('{')) return JSON.parse(line.value);
    }
  }

  async ask(message: unknown): Promise<unknown> {
    this.child.stdin?.write(`${JSON.stringify(message)}\n`);
    return this.next();
  }

  async end(): Promise<void> {
    this.child.stdin?.end();
    const late = setTimeout(() => this.child.kill('SIGKILL'), 3000);
    await this.closed;
    clearTimeout(late);
  }
}
