/** All commands, in the order in which they are used: for the command line itself, its help, and the tests of both.
 *  Each is run with the options that it declares itself. */

import { augmentCommand } from './augment.ts';
import { clusterCommand } from './cluster.ts';
import type { Command } from './command.ts';
import { doctorCommand } from './doctor.ts';
import { evaluateCommand } from './evaluate.ts';
import { exportCommand } from './export.ts';
import { finetuneCommand } from './finetune.ts';
import { predictCommand } from './predict.ts';
import { pruneCommand } from './prune.ts';
import { quantizeCommand } from './quantize.ts';
import { recipesCommand } from './recipes.ts';
import { serveCommand } from './serve.ts';
import { summaryCommand } from './summary.ts';
import { trainCommand } from './train.ts';
import { tuneCommand } from './tune.ts';
import { verifyCommand } from './verify.ts';
import { weightsCommand } from './weights.ts';

export const commands = [
  doctorCommand,
  augmentCommand,
  recipesCommand,
  trainCommand,
  finetuneCommand,
  tuneCommand,
  evaluateCommand,
  predictCommand,
  pruneCommand,
  clusterCommand,
  quantizeCommand,
  exportCommand,
  verifyCommand,
  serveCommand,
  summaryCommand,
  weightsCommand,
] as unknown as readonly Command[];
