/** What the cards and the pages say. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { DEMONSTRATION, loadingCode, moduleCard, moduleSheet, sharedCard, sharedSheet } from '../views';
import { entry, version } from './entries';

describe('a card', () => {
  it('says how many classes, and how good on how many images', () => {
    assert.deepEqual(moduleCard(entry()).facts, ['2 classes', 'macro-F1 0.906 on 1,400 test images']);
    assert.deepEqual(moduleCard(entry({ classes: [], metrics: null })).facts, []);
  });

  it('falls back to the name where there is no title', () => {
    assert.equal(moduleCard(entry({ title: '' })).title, 'phytoplankton');
  });

  it('warns of a demonstration', () => {
    assert.equal(moduleCard(entry({ status: 'demonstration' })).demonstration, true);
    assert.equal(moduleCard(entry({ status: null })).demonstration, false);
  });

  it('of a shared model names its owner', () => {
    const card = sharedCard('shared', {
      owner: 'ada',
      name: 'copepods',
      latest: 3,
      task: 'classification',
      status: 'released',
      classes: 1,
      metrics: null,
      base: null,
      summary: ''
    });
    assert.deepEqual([card.name, card.origin, card.facts], ['ada/copepods', 'shared by ada', ['1 class']]);
  });
});

describe('a page', () => {
  it('gives the figures with the images they were measured on', () => {
    const sheet = moduleSheet(entry());
    assert.deepEqual(sheet.figures, [
      { label: 'Accuracy', value: '0.930' },
      { label: 'Macro-F1', value: '0.906' },
      { label: 'Images per second', value: '1,234.5' }
    ]);
    assert.equal(sheet.measured, 'Measured on 1,400 test images, kept apart from training by group.');
    assert.equal(
      sharedSheet('shared', version()).measured,
      'Measured on 1 test image, drawn one by one: expect less on images from a new sample.'
    );
    assert.equal(moduleSheet(entry({ metrics: null })).measured, null);
  });

  it('says of a demonstration what it is for', () => {
    assert.deepEqual(moduleSheet(entry({ status: 'demonstration' })).notes, [DEMONSTRATION]);
    assert.deepEqual(moduleSheet(entry()).notes, []);
  });

  it('offers only links that open as a page', () => {
    const links = {
      source_code: 'https://example.org',
      my_docs: 'HTTP://example.org/docs',
      bad: 'javascript:alert(1)',
      worse: ' javascript:alert(1)',
      local: '/hub/logout'
    };
    assert.deepEqual(moduleSheet(entry({ links })).links, [
      { label: 'Source code', url: 'https://example.org' },
      { label: 'My docs', url: 'HTTP://example.org/docs' }
    ]);
  });

  it('offers no code where nothing can be loaded, and says why', () => {
    const module = moduleSheet(entry({ status: null, warnings: ['The licence is missing.'] }));
    assert.equal(module.code, null);
    assert.deepEqual(module.notes, [
      'This module comes without a model package that the library can load.',
      'The licence is missing.'
    ]);
    const shared = sharedSheet('shared', version({ withdrawn: 'Two labels were mixed up.' }));
    assert.equal(shared.code, null);
    assert.equal(
      shared.notes[0],
      'It was withdrawn and can no longer be loaded: Two labels were mixed up.'
    );
  });

  it('lets only an owner withdraw, and a version only once', () => {
    assert.equal(sharedSheet('shared', version()).withdrawable, null);
    assert.equal(moduleSheet(entry()).withdrawable, null);
    const mine = sharedSheet('mine', version());
    assert.deepEqual([mine.withdrawable, mine.origin], [3, 'ada/copepods']);
    assert.equal(sharedSheet('mine', version({ withdrawn: 'Two labels were mixed up.' })).withdrawable, null);
  });

  it('of a shared model says which version it is and where it comes from', () => {
    assert.deepEqual(sharedSheet('shared', version()).notes, [
      DEMONSTRATION,
      'Version 3, shared on 2026-05-04 with ada, the group imagine-users.',
      'Retrained from phytoplankton.'
    ]);
  });
});

describe('the code', () => {
  it('loads the model by its name', () => {
    assert.equal(
      loadingCode('ada/copepods'),
      'import imagine_lib as im\nmodel = im.load("ada/copepods")\nmodel'
    );
  });

  it('keeps any name inside its quotes', () => {
    const code = loadingCode('x")\nimport os#');
    assert.equal(code.split('\n').length, 3);
    assert.match(code, /im\.load\("x\\"\)\\nimport os#"\)/);
  });
});
