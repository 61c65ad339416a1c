/** The error type of weights/: a file that cannot be read, does not fit, or cannot be had.
 *  Its message is one line, fit to be shown to a user as it stands; no stack trace is needed to act on it. */

export class WeightsError extends Error {
  override readonly name = 'WeightsError';
  /** What to do about it, where that is more than the message says. One line. */
  readonly hint: string | undefined;

  constructor(message: string, options: ErrorOptions & { readonly hint?: string } = {}) {
    super(message, options);
    this.hint = options.hint;
  }
}
