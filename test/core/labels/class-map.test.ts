/** The class map: reading, editing, undoing, and what it makes of label maps. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PermanentError, UsageError } from '#core/errors';
import { classColours } from '#core/labels/class-colours';
import { findClass, ignoreClasses, mergeClasses, renameClass, splitClass } from '#core/labels/class-edits';
import {
  type ClassHistoryEntry,
  formatClassHistory,
  historyEntry,
  parseClassHistory,
  undoEdit,
} from '#core/labels/class-history';
import { applyClasses, type ClassMap, defaultClasses, formatClassMap, parseClassMap } from '#core/labels/class-map';
import type { LabelMap } from '#core/labels/label-map';
import { hexOf } from '#core/labels/palette';

const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const summary = ({ classes }: ClassMap) =>
  classes.map(({ id, name, clusters, ignore }) => `${id} ${name} [${clusters}]${ignore ? ' ignored' : ''}`);
const row = (...labels: number[]): LabelMap => ({ width: labels.length, height: 1, data: Uint16Array.from(labels) });

describe('classes.json', () => {
  it('starts with one class per cluster, in the colours of the palette', () => {
    const text = new TextDecoder().decode(formatClassMap(defaultClasses(2)));
    expect(text).toBe(
      '{"version":1,"classes":[\n' +
        '{"id":1,"name":"class 1","clusters":[0],"color":"#e6194b","ignore":false},\n' +
        `{"id":2,"name":"class 2","clusters":[1],"color":"${hexOf(2)}","ignore":false}\n]}\n`,
    );
  });
  it('reads what it writes, and files edited by hand', () => {
    const map = mergeClasses(renameClass(defaultClasses(5), '2', '  Katze '), ['2', '4']);
    expect(parseClassMap(formatClassMap(map))).toEqual(map);
    const byHand = { version: 3, extra: 1, classes: [{ id: 9, name: 'x', clusters: [2, 1], color: '#ABCDEF' }] };
    expect(parseClassMap(bytesOf(byHand))).toEqual({
      version: 3,
      classes: [{ id: 9, name: 'x', clusters: [1, 2], color: '#abcdef', ignore: false }],
    });
  });

  const one = { id: 1, name: 'a', clusters: [0], color: '#000001', ignore: false };
  const two = { id: 2, name: 'b', clusters: [1], color: '#000001', ignore: false };
  it.each([
    ['{', /no JSON/],
    [{ classes: [] }, /version/],
    [{ version: 0, classes: [] }, /version/],
    [{ version: 1, classes: [{ ...one, id: 0 }] }, /classes\.0\.id/],
    [{ version: 1, classes: [{ ...one, color: 'red' }] }, /classes\.0\.color: must look like #rrggbb/],
    [{ version: 1, classes: [one, { ...two, id: 1 }] }, /two classes have the id 1/],
    [{ version: 1, classes: [one, { ...two, name: ' a' }] }, /two classes have the name “a”/],
    [{ version: 1, classes: [one, { ...two, clusters: [0] }] }, /cluster 0 belongs to two classes/],
    [{ version: 1, classes: [{ ...one, name: '' }] }, /class 1: a class needs a name/],
    [{ version: 1, classes: [{ ...one, name: 'a\nb' }] }, /one line/],
    [{ version: 1, classes: [{ ...one, name: 'Background' }] }, /ignore it/],
  ])('refuses %j', (content, message) => {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : bytesOf(content);
    expect(() => parseClassMap(bytes, 'd/classes.json')).toThrow(PermanentError);
    expect(() => parseClassMap(bytes, 'd/classes.json')).toThrow(/^d\/classes\.json/);
    expect(() => parseClassMap(bytes, 'd/classes.json')).toThrow(message);
  });
});

describe('edits', () => {
  const map = defaultClasses(4);
  it('rename', () => {
    const renamed = renameClass(map, '2', 'cat');
    expect(summary(renamed)).toEqual(['1 class 1 [0]', '2 cat [1]', '3 class 3 [2]', '4 class 4 [3]']);
    expect(renamed.version).toBe(2);
    expect(renameClass(renamed, 'CAT', 'Cat').classes[1]!.name).toBe('Cat');
    expect(summary(map)[1]).toBe('2 class 2 [1]');
  });
  it('merge joins clusters into the first class named', () => {
    const merged = mergeClasses(map, ['3', 'class 1'], 'dog');
    expect(summary(merged)).toEqual(['2 class 2 [1]', '3 dog [0,2]', '4 class 4 [3]']);
    expect(merged.classes[1]!.color).toBe(hexOf(3));
    expect(summary(mergeClasses(merged, ['2', 'dog']))).toEqual(['2 class 2 [0,1,2]', '4 class 4 [3]']);
  });
  it('split takes clusters out under an id of their own', () => {
    const merged = mergeClasses(map, ['1', '2', '3']);
    expect(summary(splitClass(merged, '1', [2]))).toEqual(['1 class 1 [0,1]', '3 class 3 [2]', '4 class 4 [3]']);
    // The own id of cluster 0 is taken by the class it leaves, so it gets the id of one that stays.
    expect(summary(splitClass(merged, '1', [0], 'cat'))).toEqual(['1 class 1 [1,2]', '2 cat [0]', '4 class 4 [3]']);
    const renamed = renameClass(merged, '4', 'class 3');
    expect(summary(splitClass(renamed, '1', [2]))[1]).toBe('3 class 3 (2) [2]');
  });
  it('ignore and back', () => {
    const ignored = ignoreClasses(map, ['1', '3'], true);
    expect(summary(ignored)).toEqual([
      '1 class 1 [0] ignored',
      '2 class 2 [1]',
      '3 class 3 [2] ignored',
      '4 class 4 [3]',
    ]);
    expect(summary(ignoreClasses(ignored, ['1', '3'], false))).toEqual(summary(map));
    expect(ignored.version).toBe(2);
  });

  it.each<[string, (m: ClassMap) => unknown, RegExp]>([
    ['no such class', m => renameClass(m, 'bird', 'x'), /no class bird; there are 1 “class 1”, 2 “class 2”/],
    ['a name that is taken', m => renameClass(m, '1', 'class 2'), /class 2 has the name “class 2” already.*merge/],
    ['an empty name', m => renameClass(m, '1', ' '), /needs a name/],
    ['merging one', m => mergeClasses(m, ['1', '#1']), /two different classes/],
    ['splitting off what is not there', m => splitClass(m, '1', [3]), /does not hold cluster 3; it holds 0/],
    ['splitting off everything', m => splitClass(m, '1', [0]), /must keep a cluster/],
    ['splitting off nothing', m => splitClass(m, '1', []), /name the clusters/],
    ['ignoring twice', m => ignoreClasses(ignoreClasses(m, ['1'], true), ['1'], true), /ignored already/],
  ])('refuse %s', (_, edit, message) => {
    expect(() => edit(map)).toThrow(UsageError);
    expect(() => edit(map)).toThrow(message);
  });

  it('find a class by id or name, and ask where both fit', () => {
    const digits = renameClass(defaultClasses(3), '1', '2');
    expect(() => findClass(digits, '2')).toThrow(/#2 or #1/);
    expect(findClass(digits, '#2').id).toBe(2);
    expect(findClass(digits, '#1').name).toBe('2');
    expect(() => findClass(defaultClasses(100), 'x')).toThrow(/and 80 more$/);
    const cases = renameClass(renameClass(defaultClasses(2), '1', 'Cat'), '2', 'cat');
    expect([findClass(cases, 'Cat').id, findClass(cases, 'cat').id]).toEqual([1, 2]);
    expect(() => findClass(cases, 'CAT')).toThrow(UsageError);
  });
});

describe('undo', () => {
  /** Does an edit as a command does: entry first, then the map. */
  const session = (start: ClassMap) => {
    let [map, history] = [start, [] as ClassHistoryEntry[]];
    return {
      edit(change: (m: ClassMap) => ClassMap) {
        const next = change(map);
        history = [...history, historyEntry('an edit', map, next)];
        map = next;
      },
      undo() {
        const undone = undoEdit(map, parseClassHistory(formatClassHistory(history)));
        history = [...history, undone.entry];
        map = undone.map;
      },
      map: () => map,
    };
  };

  it('goes back step by step to the beginning, then refuses; versions only grow', () => {
    const s = session(defaultClasses(3));
    const states = [summary(s.map())];
    for (const change of [
      (m: ClassMap) => renameClass(m, '1', 'a'),
      (m: ClassMap) => mergeClasses(m, ['1', '2']),
      (m: ClassMap) => ignoreClasses(m, ['3'], true),
    ]) {
      s.edit(change);
      states.push(summary(s.map()));
    }
    for (const state of states.slice(0, -1).reverse()) {
      s.undo();
      expect(summary(s.map())).toEqual(state);
    }
    expect(s.map().version).toBe(7);
    expect(() => s.undo()).toThrow(/nothing to undo/);
  });

  it('is a stack, whatever is edited and undone in between', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 25 }), steps => {
        const s = session(defaultClasses(2));
        const stack = [summary(s.map())];
        steps.forEach((edit, i) => {
          if (edit) {
            s.edit(m => renameClass(m, '1', `name ${i}`));
            stack.push(summary(s.map()));
          } else if (stack.length > 1) {
            s.undo();
            stack.pop();
          } else expect(() => s.undo()).toThrow(PermanentError);
          expect(summary(s.map())).toEqual(stack.at(-1));
        });
      }),
    );
  });

  it('passes over entries whose edits came to nothing', () => {
    const first = defaultClasses(3);
    const second = renameClass(first, '1', 'x');
    const third = mergeClasses(second, ['2', '3']);
    const done = [historyEntry('done', first, second), historyEntry('done too', second, third)];
    const lost = [
      historyEntry('lost the same', first, renameClass(first, '1', 'z')),

      historyEntry('lost', first, renameClass(first, '2', 'y')),
      historyEntry('lost too', second, ignoreClasses(second, ['1'], true)),
    ];
    for (const history of [
      [...lost, ...done],
      [done[0]!, lost[0]!, lost[1]!, done[1]!, lost[2]!],
      [...done, ...lost],
    ]) {
      const back = undoEdit(third, history);
      expect(summary(back.map)).toEqual(summary(second));
      expect(back.entry).toMatchObject({ version: 4, edit: 'undo: done too', undoes: 3 });
      expect(summary(undoEdit(back.map, [...history, back.entry]).map)).toEqual(summary(first));
    }
  });

  it('says so when the history is damaged', () => {
    expect(() => parseClassHistory(new TextEncoder().encode('[{]'))).toThrow(PermanentError);
    expect(() => parseClassHistory(new TextEncoder().encode('{"a":1}'))).toThrow(/without undo/);
    expect(parseClassHistory(undefined)).toEqual([]);
  });
});

describe('applying the class map', () => {
  const map = ignoreClasses(mergeClasses(defaultClasses(4), ['4', '1']), ['2'], true);
  it('puts class ids in the place of label ids, 0 for ignored classes', () => {
    expect([...applyClasses(row(0, 1, 2, 3, 4), map).data]).toEqual([0, 4, 0, 3, 4]);
  });
  it('refuses a label that no class holds', () => {
    expect(() => applyClasses(row(1, 5), map, undefined, 'a.png')).toThrow(/^a\.png holds label 5.*cluster 4/);
  });
  it('handles more labels than a byte', () => {
    const many = renameClass(defaultClasses(919), '919', 'last');
    expect([...applyClasses(row(919, 300, 256), many).data]).toEqual([919, 300, 256]);
  });
});

describe('colours that stand for classes', () => {
  it('are all different and never black, and kept where they can be', () => {
    const color = (id: number, value: string) => ({ ...defaultClasses(id).classes[id - 1]!, color: value });
    const classes = [color(1, '#000000'), color(2, '#123456'), color(3, '#123456'), color(4, '#e6194b')];
    const colours = classColours(classes);
    expect(colours.get(2)).toEqual([0x12, 0x34, 0x56]);
    expect(colours.get(4)).toEqual([0xe6, 0x19, 0x4b]);
    expect(new Set([...colours.values(), [0, 0, 0]].map(String)).size).toBe(5);
  });
  it('for more classes than the palette has colours', () => {
    expect(new Set([...classColours(defaultClasses(3000).classes).values()].map(String)).size).toBe(3000);
  });
});
