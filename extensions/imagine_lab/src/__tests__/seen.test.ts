/** Which version of a file a write may replace. */

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';

import { LAST, Seen } from '../seen';

const FIRST = 1;

let seen: Seen<{ path: string; hash?: string; writable?: boolean }>;

beforeEach(() => {
  let made = 0;
  seen = new Seen(() => `upload ${(made += 1)}`);
});

const file = (path: string, hash: string): { path: string; hash: string } => ({ path, hash });

describe('a save', () => {
  it('replaces what was read, and nothing where nothing was', () => {
    seen.list([file('a', 'listed')]);
    assert.deepEqual(seen.guardOfSave('a'), {});
    seen.read('a', file('a', 'read'));
    assert.deepEqual(seen.guardOfSave('a'), { hash: 'read' });
  });

  it('replaces what was saved before', () => {
    seen.read('a', file('a', 'read'));
    seen.saved('a', file('a', 'saved'));
    assert.deepEqual(seen.guardOfSave('a'), { hash: 'saved' });
    assert.equal(seen.takeSaved('a')?.hash, 'saved');
    assert.equal(seen.takeSaved('a'), undefined);
  });

  it('makes a file anew after it was deleted, also with the folder that it was in', () => {
    for (const gone of ['d/a', 'd']) {
      seen.list([file('d/a', 'listed'), file('da', 'listed')]);
      seen.saved('d/a', file('d/a', 'saved'));
      seen.read('da', file('da', 'read'));
      seen.forget(gone);
      assert.deepEqual(seen.guardOfSave('d/a'), {});
      assert.deepEqual(seen.guardOfUpload('d/a', undefined), {});
      assert.equal(seen.takeSaved('d/a'), undefined);
      assert.deepEqual(seen.guardOfSave('da'), { hash: 'read' });
    }
  });

  it('does not replace what is only said to be there without a tag', () => {
    seen.read('a', file('a', ''));
    assert.deepEqual(seen.guardOfSave('a'), {});
  });
});

it('is for reading only where the list says so', () => {
  seen.list([{ path: 'a', writable: false }, { path: 'b', writable: true }, { path: 'c' }]);
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].filter(path => seen.isReadOnly(path)),
    ['a']
  );
});

describe('an upload', () => {
  it('in one piece replaces what is listed, whatever was read', () => {
    seen.read('a', file('a', 'read'));
    assert.deepEqual(seen.guardOfUpload('a', undefined), {});
    seen.list([file('a', 'listed')]);
    assert.deepEqual(seen.guardOfUpload('a', undefined), { hash: 'listed' });
    seen.uploaded('a', file('a', 'mine'));
    assert.deepEqual(seen.guardOfUpload('a', undefined), { hash: 'mine' });
  });

  it('in chunks replaces what was listed when it began', () => {
    seen.list([file('a', 'agreed to')]);
    const begun = { hash: 'agreed to', upload: 'upload 1' };
    assert.deepEqual(seen.guardOfUpload('a', FIRST), begun);
    seen.list([file('a', 'of someone else')]);
    assert.deepEqual(seen.guardOfUpload('a', 2), begun);
    seen.list([]);
    assert.deepEqual(seen.guardOfUpload('a', LAST), begun);
    assert.deepEqual(seen.guardOfUpload('a', LAST), {});
  });

  it('in chunks makes a file where none was listed when it began', () => {
    assert.deepEqual(seen.guardOfUpload('a', FIRST), { upload: 'upload 1' });
    seen.list([file('a', 'of someone else')]);
    assert.deepEqual(seen.guardOfUpload('a', LAST), { upload: 'upload 1' });
  });

  it('begun anew is another one', () => {
    assert.deepEqual(seen.guardOfUpload('a', FIRST), { upload: 'upload 1' });
    assert.deepEqual(seen.guardOfUpload('a', FIRST), { upload: 'upload 2' });
    assert.deepEqual(seen.guardOfUpload('b', FIRST), { upload: 'upload 3' });
    assert.deepEqual(seen.guardOfUpload('a', 2), { upload: 'upload 2' });
  });
});
