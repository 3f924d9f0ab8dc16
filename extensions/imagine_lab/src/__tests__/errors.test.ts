/** The sentences that a user reads when something does not work. */

import assert from 'node:assert/strict';
import { it } from 'node:test';

import { RequestError, sentence } from '../errors';

it('keeps the sentence of the server', () => {
  const error = RequestError.refused(502, { message: 'The iMagine platform does not answer.' });
  assert.deepEqual([error.status, sentence(error)], [502, 'The iMagine platform does not answer.']);
});

it('says what to do when the session is over', () => {
  assert.equal(
    RequestError.refused(403, { message: 'Forbidden' }).message,
    'You are no longer signed in here. Reload the page to sign in again.'
  );
});

it('has a sentence for an answer without one', () => {
  for (const body of [null, {}, { message: 7 }, 'text']) {
    assert.equal(
      RequestError.refused(500, body).message,
      'Your notebook server could not answer (error 500). Please try again.'
    );
  }
});

it('shows no stranger’s error text', () => {
  assert.equal(sentence(new Error('x is undefined')), 'Something unexpected happened in the panel. Please try again.');
});
