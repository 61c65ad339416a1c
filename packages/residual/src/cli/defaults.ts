/** What `residual train` does when it is told nothing else: which data, and which recipe for which data.
 *  The numbers are in the recipes; those that help shows stand here, and a test holds both together. */

/** The data set of `residual train` without arguments. */
export const defaultData = 'fashion-mnist';

/** The recipe of data for which none is named. */
export function recipeFor(data: string): string {
  return data === defaultData ? 'embedded' : 'default';
}

/** Where runs are put. */
export const runsFolder = 'runs';

/** Of the recipes `default` and `embedded`, so that `--help` need not read them. */
export const shownDefaults = {
  default: { epochs: 20, batch: 128, lr: 0.1, warmup: '5%', width: 64 },
  embedded: { epochs: 6, batch: 64, lr: 0.05, warmup: '20%', width: 32 },
  model: 'resnet18',
  convention: 'torchvision',
  momentum: 0.9,
  nesterov: true,
  weightDecay: 5e-4,
  labelSmoothing: 0.1,
  seed: 1,
} as const;

/** What a longer run on the embedded data was measured to reach: two cores of an AMD EPYC (Zen 4), seed 1. */
export const longerRun = { epochs: 14, minutes: 8, testAccuracy: 0.91 } as const;
