/** What is on the screen, step by step, with a library that answers when the test says so. */

import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';

import { RequestError } from '../errors';
import type { ILibrary } from '../library';
import { PanelModel, PAUSE_MS } from '../model';
import type { ICard, ISheet, Kind } from '../views';
import { moduleCard, moduleSheet, sharedSheet } from '../views';
import type { IPage } from '../wire';
import { entry, version } from './entries';

interface IQuestion {
  kind: Kind;
  text: string;
  offset: number;
  answer: (names: string[], next?: number) => void;
  fail: (error: Error) => void;
}

class SlowLibrary implements ILibrary {
  readonly questions: IQuestion[] = [];
  readonly sheets: { name: string; answer: (title?: string) => void; fail: (error: Error) => void }[] = [];
  readonly withdrawals: { what: unknown[]; answer: () => void; fail: (error: Error) => void }[] = [];

  list(kind: Kind, text: string, offset: number): Promise<IPage<ICard>> {
    return new Promise((resolve, fail) => {
      const answer = (names: string[], next?: number): void =>
        resolve({
          items: names.map(name => moduleCard(entry({ name, title: name }))),
          total: names.length,
          next: next ?? null
        });
      this.questions.push({ kind, text, offset, answer, fail });
    });
  }

  sheet(_kind: Kind, name: string): Promise<ISheet> {
    return new Promise((resolve, fail) => {
      const answer = (title?: string): void => resolve(moduleSheet(entry({ name, title: title ?? name })));
      this.sheets.push({ name, answer, fail });
    });
  }

  withdraw(...what: [string, number, string]): Promise<ISheet> {
    return new Promise((resolve, fail) => {
      const gone = sharedSheet('mine', version({ owner: 'rosa', name: 'b', withdrawn: what[2] }));
      this.withdrawals.push({ what, answer: () => resolve(gone), fail });
    });
  }

  last(kind: Kind): IQuestion {
    const found = this.questions.filter(question => question.kind === kind).pop();
    assert.ok(found, `nothing was asked about ${kind}`);
    return found;
  }
}

function setUp(): { model: PanelModel; library: SlowLibrary } {
  const library = new SlowLibrary();
  const model = new PanelModel(library);
  return { model, library };
}

/** Let what was answered reach the model. */
const settle = (): Promise<void> => new Promise(done => setImmediate(done));

function names(model: PanelModel, kind: Kind = 'module'): string[] | null {
  const list = model.state.lists[kind];
  return list.state === 'failed' ? null : (list.value?.items.map(card => card.name) ?? null);
}

function title(model: PanelModel): string | null {
  const sheet = model.state.open?.sheet;
  return sheet?.state === 'ready' ? sheet.value.title : null;
}

describe('the lists', () => {
  it('load once, however often the panel is shown meanwhile', async () => {
    const { model, library } = setUp();
    model.show();
    model.show();
    assert.equal(library.questions.length, 3);
    library.last('module').answer(['a']);
    await settle();
    assert.deepEqual(names(model), ['a']);
    assert.equal(model.state.lists.shared.state, 'loading');
  });

  it('keep what is there while they load again', async () => {
    const { model, library } = setUp();
    model.show();
    library.last('module').answer(['a']);
    await settle();
    model.refresh();
    assert.equal(model.state.lists.module.state, 'loading');
    assert.deepEqual(names(model), ['a']);
  });

  it('say what went wrong, each on its own, and can be tried again', async () => {
    const { model, library } = setUp();
    model.show();
    library.last('module').answer(['a']);
    library.last('shared').fail(new RequestError(502, 'The platform is down.'));
    await settle();
    assert.deepEqual(model.state.lists.shared, { state: 'failed', message: 'The platform is down.' });
    assert.deepEqual(names(model), ['a']);
    void model.load('shared');
    library.last('shared').answer(['ada/b']);
    await settle();
    assert.deepEqual(names(model, 'shared'), ['ada/b']);
  });

  it('grow by a page', async () => {
    const { model, library } = setUp();
    model.show();
    library.last('module').answer(['a'], 1);
    await settle();
    void model.more('module');
    assert.equal(library.last('module').offset, 1);
    library.last('module').answer(['b']);
    await settle();
    assert.deepEqual(names(model), ['a', 'b']);
    const asked = library.questions.length;
    await model.more('module');
    assert.equal(library.questions.length, asked);
  });
});

/** Show the panel with a module `a`, a model `rosa/b` of one's own and a model `ada/c`. */
async function shown(): Promise<{ model: PanelModel; library: SlowLibrary }> {
  const both = setUp();
  both.model.show();
  both.library.last('module').answer(['a']);
  both.library.last('mine').answer(['rosa/b']);
  both.library.last('shared').answer(['ada/c']);
  await settle();
  return both;
}

describe('a look for what is new', () => {
  it('happens when the panel is shown again, and is not seen before there is something', async () => {
    const { model, library } = await shown();
    const states: string[] = [];
    model.subscribe(() => states.push(model.state.lists.mine.state));
    model.show();
    assert.equal(library.questions.length, 6);
    assert.deepEqual(names(model, 'mine'), ['rosa/b']);
    library.last('mine').answer(['rosa/new', 'rosa/b']);
    await settle();
    assert.deepEqual(names(model, 'mine'), ['rosa/new', 'rosa/b']);
    assert.deepEqual(states, ['ready']);
  });

  it('never takes a good list away, and mends a failed one', async () => {
    const { model, library } = await shown();
    void model.reload();
    library.last('mine').fail(new RequestError(502, 'The platform is down.'));
    await settle();
    assert.deepEqual(names(model, 'mine'), ['rosa/b']);
    assert.equal(model.state.lists.mine.state, 'ready');
    void model.load('mine');
    library.last('mine').fail(new RequestError(502, 'The platform is down.'));
    await settle();
    void model.reload();
    library.last('mine').fail(new RequestError(502, 'Still.'));
    await settle();
    assert.deepEqual(model.state.lists.mine, { state: 'failed', message: 'The platform is down.' });
    void model.reload();
    library.last('mine').answer(['rosa/b']);
    await settle();
    assert.deepEqual(names(model, 'mine'), ['rosa/b']);
  });

  it('asks for what is searched, and for as much as is shown', async t => {
    mock.timers.enable({ apis: ['setTimeout'] });
    t.after(() => mock.timers.reset());
    const { model, library } = setUp();
    model.search(' b ');
    mock.timers.tick(PAUSE_MS);
    library.last('mine').answer(['rosa/b1'], 1);
    await settle();
    void model.more('mine');
    library.last('mine').answer(['rosa/b2']);
    await settle();
    model.search('b, and still typing');
    void model.reload();
    assert.deepEqual([library.last('mine').text, library.last('mine').offset], ['b', 0]);
    library.last('mine').answer(['rosa/b0'], 1);
    await settle();
    assert.deepEqual(names(model, 'mine'), ['rosa/b1', 'rosa/b2']);
    assert.equal(library.last('mine').offset, 1);
    library.last('mine').answer(['rosa/b1'], 2);
    await settle();
    assert.deepEqual(names(model, 'mine'), ['rosa/b0', 'rosa/b1']);
    assert.equal(model.state.text, 'b, and still typing');
  });

  it('gives way to what the user asks for', async () => {
    const { model, library } = await shown();
    void model.reload();
    const quiet = library.last('mine');
    model.refresh();
    library.last('mine').answer(['rosa/asked']);
    await settle();
    quiet.answer(['rosa/older']);
    await settle();
    assert.deepEqual(names(model, 'mine'), ['rosa/asked']);
  });

  it('keeps a page open, and brings what has changed on it', async () => {
    const { model, library } = await shown();
    void model.open('shared', 'ada/c');
    library.sheets[0]?.answer('before');
    await settle();
    void model.reload();
    library.sheets[1]?.fail(new RequestError(502, 'The platform is down.'));
    await settle();
    assert.equal(title(model), 'before');
    void model.reload();
    assert.equal(title(model), 'before');
    library.sheets[2]?.answer('after');
    await settle();
    assert.equal(title(model), 'after');
    void model.reload();
    model.back();
    library.sheets[3]?.answer('too late');
    await settle();
    assert.equal(model.state.open, null);
  });
});

describe('withdrawing', () => {
  it('is said by the page at once, and then by the list', async () => {
    const { model, library } = await shown();
    void model.open('mine', 'rosa/b');
    library.sheets[0]?.answer();
    await settle();
    void model.withdraw('rosa/b', 3, 'Swapped.');
    assert.deepEqual(library.withdrawals[0]?.what, ['rosa/b', 3, 'Swapped.']);
    library.withdrawals[0]?.answer();
    await settle();
    const sheet = model.state.open?.sheet;
    assert.ok(sheet?.state === 'ready');
    assert.equal(sheet.value.notes[0], 'It was withdrawn and can no longer be loaded: Swapped.');
    assert.equal(library.sheets.length, 1, 'an older version that can still be loaded must not take the place');
    library.last('mine').answer([]);
    await settle();
    assert.deepEqual(names(model, 'mine'), []);
  });

  it('that is refused changes nothing, and its sentence comes back', async () => {
    const { model, library } = await shown();
    const before = model.state;
    const refused = assert.rejects(model.withdraw('rosa/b', 3, 'Swapped.'), /It was withdrawn before/);
    library.withdrawals[0]?.fail(new RequestError(409, 'It was withdrawn before (other): the first reason stays.'));
    await refused;
    assert.equal(model.state, before);
  });
});

describe('the search', () => {
  it('waits for a pause in the typing', t => {
    mock.timers.enable({ apis: ['setTimeout'] });
    t.after(() => mock.timers.reset());
    const { model, library } = setUp();
    'krill'.split('').forEach((_, n) => model.search('krill'.slice(0, n + 1)));
    assert.equal(model.state.text, 'krill');
    assert.equal(library.questions.length, 0);
    mock.timers.tick(PAUSE_MS);
    assert.deepEqual(
      library.questions.map(({ kind, text }) => [kind, text]),
      [
        ['module', 'krill'],
        ['mine', 'krill'],
        ['shared', 'krill']
      ]
    );
  });

  it('never shows the answer to an older question', async t => {
    mock.timers.enable({ apis: ['setTimeout'] });
    t.after(() => mock.timers.reset());
    const { model, library } = setUp();
    model.search('a');
    mock.timers.tick(PAUSE_MS);
    const older = library.last('module');
    model.search('ab');
    mock.timers.tick(PAUSE_MS);
    library.last('module').answer(['new']);
    await settle();
    older.answer(['old']);
    await settle();
    assert.deepEqual(names(model), ['new']);
  });
});

describe('the page of an entry', () => {
  it('opens, fails, is tried again and is left', async () => {
    const { model, library } = setUp();
    void model.open('module', 'a');
    assert.deepEqual(model.state.open?.sheet, { state: 'loading', value: null });
    library.sheets[0]?.fail(new TypeError('undefined is not a function'));
    await settle();
    assert.deepEqual(model.state.open?.sheet, {
      state: 'failed',
      message: 'Something unexpected happened in the panel. Please try again.'
    });
    void model.open('module', 'a');
    library.sheets[1]?.answer();
    await settle();
    assert.equal(model.state.open?.sheet.state, 'ready');
    model.back();
    assert.equal(model.state.open, null);
  });

  it('does not come back by an answer that arrives after it was left', async () => {
    const { model, library } = setUp();
    void model.open('module', 'a');
    model.back();
    library.sheets[0]?.answer();
    await settle();
    assert.equal(model.state.open, null);
  });

  it('tells its listeners, until they leave', () => {
    const { model } = setUp();
    let told = 0;
    const leave = model.subscribe(() => told++);
    void model.open('module', 'a');
    leave();
    model.back();
    assert.equal(told, 1);
  });
});
