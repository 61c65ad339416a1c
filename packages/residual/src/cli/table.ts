/** Tables for the terminal: columns as wide as their content, numbers to the right.
 *  Pure: rows in, lines out. */

import { columns, type Style } from './style.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** Lines of a table; two spaces between columns, none at the end. Cells may hold colours. */
export function tableLines(head: readonly Column[], rows: readonly (readonly string[])[], style: Style): string[] {
  const widths = head.map((column, i) => Math.max(columns(column.title), ...rows.map((row) => columns(row[i] ?? ''))));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => {
        const room = ' '.repeat(Math.max(0, (widths[i] ?? 0) - columns(cell)));
        return head[i]?.align === 'right' ? room + cell : cell + room;
      })
      .join('  ')
      .trimEnd();
  return [line(head.map((column) => style.dim(column.title))), ...rows.map(line)];
}

/** Text cut to `width` columns, with an ellipsis where something is missing. */
export function shorten(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join('')}…`;
}
