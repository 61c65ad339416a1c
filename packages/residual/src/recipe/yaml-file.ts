/** Reads a recipe's YAML into plain data and remembers the line of every key.
 *  YAML 1.2 by npm's `yaml`; what JSON could not say (tags, merge keys, several documents) is refused. */

import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { RecipeError } from './errors.ts';
import { isSection, type Layered, type Plain } from './layers.ts';
import { type Path, pathText } from './problems.ts';

/**
 * @param name the file as errors should name it
 * @throws RecipeError for text that is no YAML, with its line
 */
export function parseRecipe(text: string, name: string): Layered {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const place = (node: Node | null | undefined) => `${name}:${lines.linePos(node?.range?.[0] ?? 0).line}`;
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) {
    const { line } = lines.linePos(problem.pos[0]);
    throw new RecipeError(`${name}:${line}: is not YAML: ${problem.message.replace(/\s+/g, ' ')}`);
  }
  const origins = new Map<string, string>([['', name]]);
  const visit = (node: Node | null | undefined, path: Path): void => {
    if (isAlias(node)) throw new RecipeError(`${place(node)}: a recipe may not use YAML's aliases`);
    if (isMap(node)) {
      for (const { key, value } of node.items) {
        const inside = [...path, isScalar(key) ? String(key.value) : ''];
        origins.set(pathText(inside), place(key as Node));
        visit(value as Node, inside);
      }
    } else if (isSeq(node)) {
      node.items.forEach((item, i) => {
        origins.set(pathText([...path, i]), place(item as Node));
        visit(item as Node, [...path, i]);
      });
    }
  };
  visit(document.contents, []);
  const data = document.toJS() as Plain;
  if (!isSection(data)) throw new RecipeError(`${name}: a recipe must be a list of keys and values`);
  return { data, origins };
}
