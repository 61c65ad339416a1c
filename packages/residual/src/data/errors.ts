/** The one error type of data/ and augment/: a mistake in the files or in what was asked of them.
 *  Its message is one line, fit to be shown to a user as it stands; no stack trace is needed to act on it. */

export class DataError extends Error {
  override readonly name = 'DataError';
}

/** A picture with more pixels than the caller allows. */
export class PixelLimitError extends DataError {}

export const TOO_LARGE = 'it has more pixels than are allowed';
