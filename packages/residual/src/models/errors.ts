/** The error types of models/ and train/: a mistake in what was asked, in a model's files, or in where to write them.
 *  Each message is one line, fit to be shown to a user as it stands; no stack trace is needed to act on it. */

/** An impossible model or option, or model files that cannot be used. */
export class ModelError extends Error {
  override readonly name = 'ModelError';
}

/** A file that could not be written whole. What stood in its place before is untouched. */
export class WriteError extends Error {
  override readonly name = 'WriteError';
  /** The system's code, e.g. `ENOSPC` for a full disk. */
  readonly code: string | undefined;

  constructor(message: string, options: { readonly cause: unknown; readonly code: string | undefined }) {
    super(message, { cause: options.cause });
    this.code = options.code;
  }
}
