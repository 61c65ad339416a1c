/** What a request is answered with when it cannot be served: a status and one line.
 *  Each protocol puts the line into its own form; nothing else about the server leaks out. */

export type ErrorStatus = 400 | 401 | 404 | 408 | 413 | 415 | 499 | 500 | 503;

export class ServeError extends Error {
  override readonly name = 'ServeError';
  readonly status: ErrorStatus;
  /** Seconds after which to ask again, where asking again makes sense. */
  readonly retryAfter: number | undefined;

  constructor(status: ErrorStatus, message: string, retryAfter?: number) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** A mistake in what was sent. */
export function badRequest(message: string): ServeError {
  return new ServeError(400, message);
}

/** The server has as much to do as it may take on. */
export function overloaded(message: string, retryAfter: number): ServeError {
  return new ServeError(503, message, Math.max(1, Math.ceil(retryAfter)));
}
