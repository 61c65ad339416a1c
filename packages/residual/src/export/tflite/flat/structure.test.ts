/** What FlatBuffers' own verifier checks of a file, written again from the format's description and sharing nothing with
 *  our writer and reader: offsets, vtables, alignment, and that no two things lie on top of each other. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assignQuantization } from '../../../quantize/assign.ts';
import { metadataOf } from '../metadata.ts';
import { METADATA_IDENTIFIER, ModelMetadata } from '../metadata-schema.ts';
import { IDENTIFIER, Model } from '../schema.ts';
import { everyOp } from '../testing.ts';
import { writeTflite } from '../write.ts';
import type { Field, Table } from './fields.ts';

/** Sizes of elements and scalars; they are also how they must be aligned. */
const SIZES: Readonly<Record<string, number>> = {
  bool: 1,
  int8: 1,
  uint8: 1,
  int32: 4,
  uint32: 4,
  float32: 4,
  int64: 8,
};

class Structure {
  readonly view: DataView;
  /** Start → end of everything but vtables, which may be shared and overlap in nothing else. */
  readonly regions = new Map<number, number>();
  tables = 0;

  constructor(bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  claim(start: number, end: number): void {
    assert.ok(end <= this.view.byteLength, `${start}–${end} lies within ${this.view.byteLength} bytes`);
    const known = this.regions.get(start);
    assert.ok(known === undefined || known === end, `${start} begins two things`);
    this.regions.set(start, end);
  }

  follow(at: number): number {
    assert.equal(at % 4, 0, 'an offset is aligned');
    const offset = this.view.getUint32(at, true);
    assert.ok(offset > 0, 'offsets lead forward');
    return at + offset;
  }

  table(table: Table, at: number): void {
    this.tables++;
    assert.equal(at % 4, 0, 'a table is aligned');
    const vtable = at - this.view.getInt32(at, true);
    assert.ok(vtable >= 8 && vtable % 2 === 0);
    const [vtableSize, size] = [this.view.getUint16(vtable, true), this.view.getUint16(vtable + 2, true)];
    assert.ok(vtableSize >= 4 && vtableSize % 2 === 0 && size >= 4);
    this.claim(at, at + size);
    const taken = new Set<number>();
    const entry = (slot: number) => (4 + 2 * slot < vtableSize ? this.view.getUint16(vtable + 4 + 2 * slot, true) : 0);
    const used = new Set<number>();
    const take = (slot: number, width: number): number => {
      const offset = entry(slot);
      used.add(slot);
      if (offset === 0) return 0;
      assert.ok(offset >= 4 && offset + width <= size, 'a field lies within its table');
      assert.equal((at + offset) % width, 0, 'a field is aligned');
      for (let byte = offset; byte < offset + width; byte++) {
        assert.ok(!taken.has(byte), 'fields do not overlap');
        taken.add(byte);
      }
      return at + offset;
    };
    for (const field of Object.values(table)) {
      const width = field.kind === 'scalar' ? SIZES[field.type] : field.kind === 'bool' ? 1 : 4;
      const tag = field.kind === 'union' ? take(field.slot - 1, 1) : 0;
      const place = take(field.slot, width);
      if (place !== 0 && width === 4 && field.kind !== 'scalar') this.target(field, place, tag);
    }
    for (let slot = 0; 4 + 2 * slot < vtableSize; slot++) {
      assert.ok(entry(slot) === 0 || used.has(slot), `slot ${slot} is in the schema`);
    }
  }

  private target(field: Field, place: number, tag: number): void {
    const at = this.follow(place);
    const vector = (width: number, align: number): number => {
      assert.equal(at % 4, 0, 'the length of a vector is aligned');
      const count = this.view.getUint32(at, true);
      assert.equal((at + 4) % align, 0, `elements are aligned to ${align}`);
      this.claim(at, at + 4 + count * width);
      return count;
    };
    switch (field.kind) {
      case 'text': {
        const length = vector(1, 1);
        assert.equal(this.view.getUint8(at + 4 + length), 0, 'a text ends with a zero');
        const bytes = new Uint8Array(this.view.buffer, this.view.byteOffset + at + 4, length);
        new TextDecoder('utf-8', { fatal: true }).decode(bytes);
        break;
      }
      case 'bytes':
        vector(1, field.align);
        break;
      case 'numbers':
        vector(SIZES[field.type], SIZES[field.type]);
        break;
      case 'many': {
        const count = vector(4, 4);
        for (let i = 0; i < count; i++) this.table(field.table, this.follow(at + 4 + 4 * i));
        break;
      }
      case 'one':
        this.table(field.table, at);
        break;
      case 'union': {
        const kind = this.view.getUint8(tag);
        const member = Object.values(field.members).find((candidate) => candidate.tag === kind);
        assert.ok(member, `kind ${kind} of a union is in the schema`);
        this.table(member.table, at);
        break;
      }
      default:
        assert.fail(`${field.kind} has no target`);
    }
  }

  noOverlaps(): void {
    const sorted = [...this.regions].sort(([a], [b]) => a - b);
    for (const [i, [start]] of sorted.entries()) {
      const before = sorted[i - 1];
      assert.ok(!before || before[1] <= start, `${before?.join('–')} reaches into ${start}`);
    }
  }
}

function checkStructure(bytes: Uint8Array, root: Table, identifier: string): Structure {
  assert.equal(new TextDecoder().decode(bytes.subarray(4, 8)), identifier);
  const structure = new Structure(bytes);
  structure.table(root, structure.follow(0));
  structure.noOverlaps();
  return structure;
}

test('every kind of TFLite file is sound from its root to its last byte', () => {
  const graph = everyOp();
  const ranges = new Map(
    [graph.input.name, ...graph.nodes.map(({ output }) => output)].map((name) => [name, { min: -1, max: 2 }]),
  );
  const quantization = assignQuantization(graph, ranges);
  for (const options of [
    {},
    { batch: 'dynamic' },
    { quantize: 'float16' },
    { quantize: 'dynamic' },
    { quantize: 'int8', quantization },
    { quantize: 'int8', quantization, edges: 'int8' },
  ] as const) {
    const structure = checkStructure(writeTflite(graph, options), Model, IDENTIFIER);
    assert.ok(structure.tables > 100);
  }
});

test('metadata is sound too', () => {
  checkStructure(metadataOf(everyOp(), 'float32').metadata, ModelMetadata, METADATA_IDENTIFIER);
});
