/** What can go wrong between the panel and its server part, each as a sentence that the panel shows as it is. */

export class RequestError extends Error {
  constructor(
    /** The HTTP status; 0 when there was no answer at all. */
    readonly status: number,
    message: string
  ) {
    super(message);
    this.name = 'RequestError';
  }

  static unreachable(): RequestError {
    return new RequestError(0, 'Your notebook server does not answer. Check your connection, then try again.');
  }

  static unreadable(status: number): RequestError {
    return new RequestError(status, 'Your notebook server gave an answer that cannot be read. Please try again.');
  }

  /** Keep the sentence of the server part or the platform; a bare "Forbidden" is none. */
  static refused(status: number, body: unknown): RequestError {
    const message = (body as { message?: unknown } | null)?.message;
    if (typeof message === 'string' && message.includes(' ')) {
      return new RequestError(status, message);
    }
    if (status === 401 || status === 403) {
      return new RequestError(status, 'You are no longer signed in here. Reload the page to sign in again.');
    }
    return new RequestError(status, `Your notebook server could not answer (error ${status}). Please try again.`);
  }
}

/** One sentence for whatever was thrown. */
export function sentence(error: unknown): string {
  return error instanceof RequestError ? error.message : 'Something unexpected happened in the panel. Please try again.';
}
