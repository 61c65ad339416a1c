/**
 * The matrices of Winograd's F(m×m, 3×3) as data, factored by the symmetry of their points.
 * Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015): Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A.
 */

/** Outputs per tile and axis. */
export type TileSize = 2 | 4;

/** One product of a sum: `factor` times the value at `index`. */
export interface Term {
  readonly index: number;
  readonly factor: number;
}

/** One row of a matrix, or two rows that differ in the sign of their odd columns: even ± scale · odd. */
export type Row =
  | { readonly kind: 'single'; readonly terms: readonly Term[] }
  | { readonly kind: 'pair'; readonly even: readonly Term[]; readonly odd: readonly Term[]; readonly scale: number };

/** A matrix as its rows, in order; a pair stands for two. */
export interface Factored {
  readonly rows: readonly Row[];
  readonly columns: number;
}

/** The three matrices of one tile size; the other transforms are their transposes. */
export interface Matrices {
  /** Bᵀ, (m+2)×(m+2): a patch of the image → the domain of products. */
  readonly image: Factored;
  /** G, (m+2)×3: a filter → products. Transposed: products → the filter's gradient. */
  readonly filter: Factored;
  /** A, (m+2)×m: a tile of the output's gradient → products. Transposed: products → a tile of the output. */
  readonly tile: Factored;
}

/**
 * F(2×2) has the points 0, ±1, ∞. F(4×4) has 0, ±¾, ±1½, ∞: against float64, its error is a third of that of
 * the usual 0, ±1, ±2, ∞, at no cost, and every factor of Bᵀ and A is exact in single precision.
 */
export function matrices(m: TileSize): Matrices {
  return m === 2 ? F2 : F4;
}

const F2: Matrices = {
  image: factor([
    [1, 0, -1, 0],
    [0, 1, 1, 0],
    [0, -1, 1, 0],
    [0, -1, 0, 1],
  ]),
  filter: factor([
    [1, 0, 0],
    [0.5, 0.5, 0.5],
    [0.5, -0.5, 0.5],
    [0, 0, 1],
  ]),
  tile: factor([
    [1, 0],
    [1, 1],
    [1, -1],
    [0, 1],
  ]),
};

const F4 = fourByFour(0.75, 1.5);

/** F(4×4, 3×3) with the points 0, ±a, ±b, ∞. */
function fourByFour(a: number, b: number): Matrices {
  const a2 = a * a;
  const b2 = b * b;
  const na = 2 * a2 * (a2 - b2);
  const nb = 2 * b2 * (b2 - a2);
  return {
    image: factor([
      [a2 * b2, 0, -(a2 + b2), 0, 1, 0],
      [0, -a * b2, -b2, a, 1, 0],
      [0, a * b2, -b2, -a, 1, 0],
      [0, -b * a2, -a2, b, 1, 0],
      [0, b * a2, -a2, -b, 1, 0],
      [0, a2 * b2, 0, -(a2 + b2), 0, 1],
    ]),
    filter: factor([
      [1 / (a2 * b2), 0, 0],
      [1 / na, a / na, a2 / na],
      [1 / na, -a / na, a2 / na],
      [1 / nb, b / nb, b2 / nb],
      [1 / nb, -b / nb, b2 / nb],
      [0, 0, 1],
    ]),
    tile: factor([
      [1, 0, 0, 0],
      [1, a, a2, a * a2],
      [1, -a, a2, -a * a2],
      [1, b, b2, b * b2],
      [1, -b, b2, -b * b2],
      [0, 0, 0, 1],
    ]),
  };
}

/** Finds the pairs of rows; the odd part of a pair is scaled so that its last factor is 1. */
function factor(matrix: readonly (readonly number[])[]): Factored {
  const rows: Row[] = [];
  for (let i = 0; i < matrix.length; i++) {
    const terms = termsOf(matrix[i]);
    const odd = terms.filter((t) => t.index % 2 === 1);
    const mirrored = matrix[i + 1]?.every((x, j) => x === (j % 2 === 1 ? -1 : 1) * matrix[i][j]);
    const scale = odd.at(-1)?.factor;
    if (mirrored && scale !== undefined) {
      const even = terms.filter((t) => t.index % 2 === 0);
      rows.push({ kind: 'pair', even, odd: odd.map((t) => ({ ...t, factor: t.factor / scale })), scale });
      i++;
    } else {
      rows.push({ kind: 'single', terms });
    }
  }
  return { rows, columns: matrix[0].length };
}

function termsOf(row: readonly number[]): Term[] {
  return row.flatMap((factor, index) => (factor === 0 ? [] : [{ index, factor }]));
}
