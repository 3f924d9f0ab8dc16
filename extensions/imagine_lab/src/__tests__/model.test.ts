/** What is on the screen, step by step, with a library that answers when the test says so. */

import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';

import { RequestError } from '../errors';
import type { ILibrary } from '../library';
import { PanelModel, PAUSE_MS } from '../model';
import type { ICard, ISheet, Kind } from '../views';
import { moduleCard, moduleSheet } from '../views';
import type { IPage } from '../wire';
import { entry } from './entries';

interface IQuestion {
  kind: Kind;
  text: string;
  offset: number;
  answer: (names: string[], next?: number) => void;
  fail: (error: Error) => void;
}

class SlowLibrary implements ILibrary {
  readonly questions: IQuestion[] = [];
  readonly sheets: { name: string; answer: () => void; fail: (error: Error) => void }[] = [];

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
      this.sheets.push({ name, answer: () => resolve(moduleSheet(entry({ name }))), fail });
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

describe('the lists', () => {
  it('load once, however often the panel is shown', async () => {
    const { model, library } = setUp();
    model.start();
    model.start();
    assert.equal(library.questions.length, 2);
    library.last('module').answer(['a']);
    await settle();
    assert.deepEqual(names(model), ['a']);
    assert.equal(model.state.lists.shared.state, 'loading');
  });

  it('keep what is there while they load again', async () => {
    const { model, library } = setUp();
    model.start();
    library.last('module').answer(['a']);
    await settle();
    model.refresh();
    assert.equal(model.state.lists.module.state, 'loading');
    assert.deepEqual(names(model), ['a']);
  });

  it('say what went wrong, each on its own, and can be tried again', async () => {
    const { model, library } = setUp();
    model.start();
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
    model.start();
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
