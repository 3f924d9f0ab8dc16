/** The one way in which the panel asks its server part. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { RequestError } from './errors';

export interface IQuestion {
  query?: Record<string, string>;
  body?: object;
}

/**
 * Ask the server part.
 *
 * @param path - below `/imagine/`, each part already encoded
 * @param settings - the Lab's own connection, which carries the XSRF token and the base URL
 * @param question - what follows the question mark; and what is sent, where something shall be changed
 * @returns the answer's JSON
 * @throws RequestError, whose message is a sentence for the user
 */
export async function requestAPI<T>(
  path: string,
  settings: ServerConnection.ISettings,
  question: IQuestion = {}
): Promise<T> {
  const address = URLExt.join(settings.baseUrl, 'imagine', path) + URLExt.objectToQueryString(question.query ?? {});
  const init = question.body ? { method: 'POST', body: JSON.stringify(question.body) } : {};
  let response: Response;
  try {
    response = await ServerConnection.makeRequest(address, init, settings);
  } catch {
    throw RequestError.unreachable();
  }
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok) {
    throw RequestError.refused(response.status, body);
  }
  if (typeof body !== 'object' || body === null) {
    throw RequestError.unreadable(response.status);
  }
  return body as T;
}
