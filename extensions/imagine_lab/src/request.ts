/** The one way in which the panel asks its server part. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { RequestError } from './errors';

/**
 * Ask the server part.
 *
 * @param path - below `/imagine/`, each part already encoded
 * @param settings - the Lab's own connection, which carries the XSRF token and the base URL
 * @param query - what follows the question mark
 * @returns the answer's JSON
 * @throws RequestError, whose message is a sentence for the user
 */
export async function requestAPI<T>(
  path: string,
  settings: ServerConnection.ISettings,
  query: Record<string, string> = {}
): Promise<T> {
  const address = URLExt.join(settings.baseUrl, 'imagine', path) + URLExt.objectToQueryString(query);
  let response: Response;
  try {
    response = await ServerConnection.makeRequest(address, {}, settings);
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
