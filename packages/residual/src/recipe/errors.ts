/** The error type of recipes: a key or a value that cannot be, with the place where it was written.
 *  Its message is one line, fit to be shown to a user as it stands. */

export class RecipeError extends Error {
  override readonly name = 'RecipeError';
  /** The nearest valid word or the valid choices, where there are such. */
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}
