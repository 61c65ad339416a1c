/** The observers by name, apart from their code: help and mistakes in the command line answer without loading it. */

export const observerNames = ['min-max', 'percentile', 'mse', 'entropy'] as const;

export type ObserverName = (typeof observerNames)[number];
