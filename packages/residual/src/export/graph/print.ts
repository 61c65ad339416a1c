/** A graph as text, a line for each node: to be read, and to be compared between two versions. */

import { constantsOf, type GraphNode, type InferenceGraph, type Shape } from './graph.ts';

/**
 * @example
 * input [224,224,3] normalised
 * relu [112,112,64] = conv2d conv1 (input) weight [7,7,3,64] bias [64] strides 2x2 padding 3,3,3,3 relu
 */
export function printGraph(graph: InferenceGraph): string {
  const { input, nodes, output, gives } = graph;
  return [
    `graph ${graph.name}`,
    `${input.name} [${input.shape}] ${input.range}`,
    ...nodes.map(lineOf),
    `gives ${output}: ${gives} of ${graph.classes.length} classes`,
  ].join('\n');
}

function lineOf(node: GraphNode): string {
  const constants = Object.entries(constantsOf(node)).map(([name, { shape }]) => `${name} ${text(shape)}`);
  const details = [...constants, ...attributesOf(node)];
  const words = [
    `${node.output} ${text(node.shape)} = ${node.op} ${node.name} (${node.inputs.join(', ')})`,
    ...details,
  ];
  return words.join(' ');
}

function attributesOf(node: GraphNode): string[] {
  const words: string[] = [];
  if ('size' in node) words.push(`size ${node.size.join('x')}`);
  if ('strides' in node && node.strides.some((n) => n !== 1)) words.push(`strides ${node.strides.join('x')}`);
  if ('dilation' in node && node.dilation.some((n) => n !== 1)) words.push(`dilation ${node.dilation.join('x')}`);
  if ('padding' in node && node.padding.some((n) => n !== 0)) words.push(`padding ${node.padding}`);
  if ('countPadding' in node && node.countPadding) words.push('counting padding');
  if ('activation' in node && node.activation !== 'none') words.push(node.activation);
  return words;
}

function text(shape: Shape): string {
  return `[${shape}]`;
}
