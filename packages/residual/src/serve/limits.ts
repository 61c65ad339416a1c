/** The bounds of a server, each with its default: what keeps memory, queue and time finite whatever is sent. */

export interface Limits {
  /** Pictures that the engine computes at once. Default 16. */
  readonly maxBatch: number;
  /** Milliseconds that a free engine waits for pictures that are still being decoded. Default 5. */
  readonly maxWait: number;
  /** Pictures accepted and not yet with the engine. More are answered 503. Default 128. */
  readonly queue: number;
  /** Bytes of one request. Default 16 million. */
  readonly maxBody: number;
  /** Bytes of all requests that are being received or worked on. Default 256 million. */
  readonly maxBodies: number;
  /** Width × height of a picture before it is scaled. Default 40 million. */
  readonly maxPixels: number;
  /** Seconds from a request's arrival to its answer. Default 30. */
  readonly timeout: number;
  /** Seconds that a client may take to send its request. Default 15. */
  readonly receiveTimeout: number;
  /** Connections at once. Default 1024. */
  readonly connections: number;
  /** Pictures decoded side by side. Default 2. */
  readonly decoders: number;
}

export const defaultLimits: Limits = {
  maxBatch: 16,
  maxWait: 5,
  queue: 128,
  maxBody: 16_000_000,
  maxBodies: 256_000_000,
  maxPixels: 40_000_000,
  timeout: 30,
  receiveTimeout: 15,
  connections: 1024,
  decoders: 2,
};
