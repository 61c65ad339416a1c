import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kernelTimes } from './layers.ts';

const block = (conv: string, relu: string, launches: number) => `── time ─────
    ${conv} ms  80.0 %  150 GFLOP/s    2.0 GB/s  2× conv2d 3x3/1
     ${relu} ms  20.0 %    1 GFLOP/s   30.0 GB/s  1× loop 64 relu
    99.00 ms in ${launches} launches
`;

test('times are medians over the warm runs of the largest program', () => {
  const small = '── time ─────\n     0.01 ms 100.0 %    0 GFLOP/s    1.0 GB/s  1× fill\n     0.01 ms in 1 launches\n';
  const cold = block('900.00', '90.00', 3);
  const text = [
    small,
    cold,
    cold,
    cold,
    block('10.00', '2.00', 3),
    block('12.00', '1.00', 3),
    block('11.00', '3.00', 3),
  ];
  const [conv, relu, ...others] = kernelTimes(text.join(small));
  assert.deepEqual(others, []);
  assert.equal(conv.name, 'conv2d 3x3/1');
  assert.deepEqual([conv.count, conv.milliseconds, relu.milliseconds], [2, 11, 2]);
  assert.ok(Math.abs(conv.gigaflops - (150 * 12) / 11) < 1e-9);
});
