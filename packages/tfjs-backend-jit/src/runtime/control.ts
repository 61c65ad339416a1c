/** The words at the foot of the shared memory through which the main thread and the workers speak. Byte addresses. */

/** Rises by one for each run; workers wait on it. */
export const SEQUENCE = 64;
/** Which program to run, and with what: valid while a run is on. */
export const PROGRAM = 128;
export const CONTROL = 132;
export const ARENA = 136;
export const SCRATCH = 140;
export const SCRATCH_BYTES = 144;
/** How many threads have finished the current run. */
export const FINISHED = 192;
/** The sequence number of the last run that is finished; the main thread waits on it. */
export const DONE = 256;
/** Not 0 after a worker died in a run. */
export const FAILED = 260;
/** The barrier between launches: arrivals, and a generation that rises when all have arrived. */
export const BARRIER_COUNT = 320;
export const BARRIER_GENERATION = 384;
/** Start times of launches in milliseconds (f64), written by thread 0 where `JIT_DEBUG=time`. */
export const MARKS = 8192;
export const MAX_MARKS = 6000;
/** Where small programs are run step by step (`direct/`), and how much there is. */
export const DESK = 65536;
export const DESK_BYTES = 1048576;
/** The heap begins here. */
export const RESERVED = DESK + DESK_BYTES;
