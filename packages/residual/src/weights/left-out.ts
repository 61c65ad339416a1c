/** What a reader saw in a file and gives no tensor for, with the reason: nothing is passed over in silence.
 *  It goes into the file's metadata under `left out`. */

/** How many names are told of each reason; an optimizer has hundreds. */
const TOLD = 4;

export class LeftOut {
  private readonly names = new Map<string, string[]>();

  /** @param reason In few words, e.g. `optimizer`. */
  add(name: string, reason: string): void {
    const names = this.names.get(reason);
    if (names) names.push(name);
    else this.names.set(reason, [name]);
  }

  /** As an entry of metadata: none where nothing was left out. */
  entries(): [string, string][] {
    if (this.names.size === 0) return [];
    const parts = [...this.names].map(([reason, names]) => {
      const more = names.length > TOLD ? ` and ${names.length - TOLD} more` : '';
      return `${names.slice(0, TOLD).join(', ')}${more} (${reason})`;
    });
    return [['left out', parts.join('; ')]];
  }
}
