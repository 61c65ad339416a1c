/** What a user reads when something went wrong: one line and a hint, or, for our own faults only, the stack.
 *  The library throws typed errors; the system's are put into words here. */

import { DataError } from '../data/errors.ts';
import { ModelError, WriteError } from '../models/errors.ts';
import { RecipeError } from '../recipe/errors.ts';
import { WeightsError } from '../weights/errors.ts';
import { CommandError, UsageError } from './command.ts';

export interface Explained {
  /** One line, without `error:`. */
  readonly message: string;
  readonly hint?: string;
  readonly exitCode: 1 | 2;
  /** Where it happened; for internal faults only. */
  readonly stack?: string;
}

/** Errors of the backend are known by name, for the command line can run without it. */
const backendErrors: readonly string[] = ['OutOfMemoryError', 'UnsupportedError', 'BackendError'];

/** The system's error codes in words. */
const systemErrors: Readonly<Record<string, readonly [message: string, hint?: string]>> = {
  ENOENT: ['no such file or folder'],
  EACCES: ['permission denied', 'check who owns it and its mode'],
  EPERM: ['operation not permitted'],
  EROFS: ['the file system is read-only', 'choose another place with --runs FOLDER'],
  ENOSPC: ['no space left on the disk', 'free some space; a run goes on from its last checkpoint with --resume'],
  EDQUOT: ['the disk quota is used up', 'free some space; a run goes on from its last checkpoint with --resume'],
  EISDIR: ['is a folder, not a file'],
  ENOTDIR: ['is not a folder'],
  EMFILE: ['too many open files', 'raise the limit with ulimit -n'],
  ENAMETOOLONG: ['the name is too long'],
  EIO: ['the device reported an input/output error'],
};

/** Puts any thrown value into words. */
export function explain(error: unknown): Explained {
  if (error instanceof UsageError) return { message: error.message, exitCode: 2, ...hintOf(error.hint) };
  if (error instanceof RecipeError) return { message: oneLine(error.message), exitCode: 2, ...hintOf(error.hint) };
  if (error instanceof CommandError) return { message: error.message, exitCode: 1, ...hintOf(error.hint) };
  if (error instanceof Error && !error.message.startsWith('internal:')) {
    if (error instanceof DataError || error instanceof ModelError || backendErrors.includes(error.name)) {
      return { message: oneLine(error.message), exitCode: 1 };
    }
    if (error instanceof WeightsError) return { message: oneLine(error.message), exitCode: 1, ...hintOf(error.hint) };
    if (error instanceof WriteError) {
      return { message: oneLine(error.message), exitCode: 1, ...hintOf(systemErrors[error.code ?? '']?.[1]) };
    }
    const system = systemError(error);
    if (system !== undefined) return system;
  }
  const message = error instanceof Error ? oneLine(error.message) : String(error);
  return {
    message: `${message.startsWith('internal:') ? '' : 'internal: '}${message}`,
    hint: 'this is a fault in residual, not in what you did: please report it with the lines above',
    exitCode: 1,
    stack: error instanceof Error ? (error.stack ?? '') : '',
  };
}

function systemError(error: Error): Explained | undefined {
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  const known = code === undefined || syscall === undefined ? undefined : systemErrors[code];
  if (known === undefined) return undefined;
  return { message: path === undefined ? known[0] : `${path}: ${known[0]}`, exitCode: 1, ...hintOf(known[1]) };
}

function hintOf(hint: string | undefined): { hint?: string } {
  return hint === undefined ? {} : { hint };
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, '; ');
}
