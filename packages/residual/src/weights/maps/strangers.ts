/** Public networks that a ResNet's file may turn out to be instead, by a name that gives them away, so that a file of theirs is
 *  answered with what it is and not with a list of names. */

export interface Stranger {
  readonly mark: RegExp;
  readonly is: string;
  /** What to do where a network of ours can be built so. */
  readonly help?: string;
}

export const strangers: readonly Stranger[] = [
  {
    mark: /(^|\/)bn_data\//,
    is: 'a pre-activation ResNet (it normalises before each convolution)',
    help: 'preactivation: true builds it',
  },
  {
    mark: /(^|\.)conv1\.0\.weight$/,
    is: 'a ResNet-D (three convolutions in the stem)',
  },
  { mark: /(^|\.)layer\d+\.\d+\.se\./, is: 'an SE-ResNet (squeeze and excitation in each block)' },
  { mark: /resnetv2\d?_/, is: 'a pre-activation ResNet (MXNet v2)' },
  { mark: /(^|\/)(post_bn|conv2_block1_preact_bn)\//, is: 'a pre-activation ResNet (keras.applications V2)' },
  {
    mark: /(^|\.)downsample\.0\.zero|weight_fake_quant|_packed_params/,
    is: 'a quantised network; its scales are not read',
  },
  { mark: /(^|\.)(blocks\.\d+\.attn|cls_token)/, is: 'a vision transformer' },
];
