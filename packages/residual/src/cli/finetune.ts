/** `residual finetune`: its options and its help. The work is in `finetune-run.ts`, and the training is `residual train`'s. */

import { defineCommand } from './command.ts';
import { trainOptions } from './train.ts';

const { resume: _, stem: __, width: ___, convention: ____, model: _____, weights, ...shared } = trainOptions;

export const finetuneOptions = {
  weights: {
    ...weights,
    help: 'the trained weights: a run, a file, a name (residual weights list) or a URL',
    default: 'none: they must be named',
    group: 'Transfer',
  },
  freeze: {
    kind: 'text',
    value: 'none|backbone|K',
    help: 'what does not learn: nothing, all but the classifier, or all but that and the last K blocks',
    default: 'none',
    group: 'Transfer',
  },
  unfreeze: {
    kind: 'text',
    value: 'EPOCH:K,…',
    help: 'from that epoch on the last K blocks learn too, as 3:1,6:all; until then the classifier alone',
    default: 'none',
    group: 'Transfer',
  },
  'head-lr': {
    kind: 'number',
    value: 'X',
    min: 0,
    above: true,
    help: "the classifier's peak learning rate",
    default: '10 times --lr; --lr where it learns alone',
    group: 'Transfer',
  },
  'layer-decay': {
    kind: 'number',
    value: 'X',
    min: 0,
    above: true,
    max: 1,
    help: "what each block's learning rate is of the next one's; 1: all alike",
    default: '0.8; 1 where nothing but the classifier learns',
    group: 'Transfer',
  },
  'batch-norm': {
    kind: 'choice',
    value: 'HOW',
    choices: ['follow', 'frozen', 'statistics', 'train'],
    help: 'frozen where its part is (follow) or everywhere; with the statistics of each batch; or learning everywhere',
    default: 'follow',
    group: 'Transfer',
  },
  cache: {
    kind: 'text',
    value: 'FOLDER|off',
    help: 'where the features of a frozen backbone are kept; off: they are computed in every epoch',
    default: 'residual/features in the cache of the user',
    group: 'Transfer',
  },
  views: {
    kind: 'integer',
    value: 'N',
    min: 1,
    max: 10_000,
    help: 'with --freeze backbone: compute the features of N augmented views of each picture',
    default: 'of the picture as it is',
    group: 'Transfer',
  },
  ...shared,
  recipe: { ...shared.recipe, default: 'finetune; finetune-head with --freeze backbone' },
  epochs: { ...shared.epochs, default: '10; 50 where the classifier learns alone' },
  batch: { ...shared.batch, default: 32 },
  lr: { ...shared.lr, default: '0.01; 0.003 (AdamW) where the classifier learns alone' },
  'weight-decay': { ...shared['weight-decay'], default: '0.0001; 0.01 (AdamW) where the classifier learns alone' },
  'label-smoothing': { ...shared['label-smoothing'], default: '0.1; 0 where the classifier learns alone' },
  warmup: { ...shared.warmup, default: '10%; 5% where the classifier learns alone' },
  size: { ...shared.size, default: 'that of the weights' },
  channels: { ...shared.channels, default: 'those of the weights' },
  'crop-padding': { ...shared['crop-padding'], default: 'none' },
  data: { ...shared.data, default: 'none: it must be named' },
} as const;

export const finetuneCommand = defineCommand({
  name: 'finetune',
  summary: 'teach a trained network other classes',
  arguments: 'DATA',
  takes: [0, 1],
  about:
    'Begins with the weights W of a trained network, with a new classifier for the classes of DATA, and trains as ' +
    'residual train does: everything that it says of DATA, runs and Ctrl-C holds here too. Pictures are brought to the ' +
    'size of the weights and normalised as theirs were.\n' +
    'By default everything learns, the classifier fastest and the first layers slowest. With --freeze backbone only the ' +
    'classifier does, and the features of each picture are computed once and kept: further runs on them take seconds.',
  options: finetuneOptions,
  examples: [
    ['residual finetune photos/ --weights runs/first', 'all layers, by depth'],
    ['residual finetune photos/ --weights runs/first --freeze backbone', 'a new classifier in seconds'],
    ['residual finetune photos/ --weights runs/first --freeze backbone --views 8', 'with augmentation'],
    ['residual finetune photos/ --weights runs/first --freeze 2 --batch-norm frozen', 'the last two blocks'],
    ['residual finetune photos/ --weights runs/first --unfreeze 3:1,5:all', 'gradually'],
    ['residual finetune digits/ --weights w.safetensors --no-flip', 'from a file, where left and right matter'],
  ],
  run: async (positionals, values) => (await import('./finetune-run.ts')).finetune(positionals, values),
});
