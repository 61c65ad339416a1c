// What a file says of itself is all of the preprocessing, to the cut and the filter.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelError } from '../models/errors.ts';
import { type ArtefactInfo, artefactFromTexts, artefactSentence, artefactToTexts } from './artefact.ts';

const published = {
  inputShape: [224, 224, 3],
  resize: 'cover',
  crop: 0.875,
  interpolation: 'bicubic',
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
} as const;
const { crop: _, interpolation: __, ...plain } = published;
const said = {
  architecture: 'resnet18',
  classes: ['a', 'b'],
  layout: 'NCHW',
  range: 'normalised',
  gives: 'logits',
  precision: 'float32',
} as const;

test('what is written comes back, with a cut and a filter and without', () => {
  for (const preprocessing of [published, plain]) {
    const info: ArtefactInfo = { ...said, preprocessing };
    assert.deepEqual(artefactFromTexts(artefactToTexts(info), 'x.onnx'), info);
  }
});

test('the sentence for people says them', () => {
  const sentence = (preprocessing: ArtefactInfo['preprocessing']) => artefactSentence({ ...said, preprocessing });
  assert.match(
    sentence(published),
    /cover 256 x 256 pixels and cropped at the centre \(bicubic\), of which the centre, 224 x 224, is cut out, \(byte/,
  );
  assert.match(sentence(plain), /cover 224 x 224 pixels and cropped at the centre, \(byte/);
});

test('an impossible cut or filter is refused', () => {
  const texts = artefactToTexts({ ...said, preprocessing: published });
  for (const change of [{ crop: 0 }, { crop: '0.9' }, { interpolation: 'cubic' }]) {
    const preprocessing = JSON.stringify({ ...JSON.parse(texts.preprocessing), ...change });
    assert.throws(() => artefactFromTexts({ ...texts, preprocessing }, 'x.onnx'), ModelError);
  }
});
