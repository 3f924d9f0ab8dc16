/** The user's Nextcloud as a drive of the Lab: its own, with pages, a guard on every write, and downloads that stream. */

import { URLExt } from '@jupyterlab/coreutils';
import type { Contents } from '@jupyterlab/services';
import { Drive, RestContentProvider, ServerConnection } from '@jupyterlab/services';
import { UUID } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { LAST, Seen } from './seen';
import { DRIVE } from './tokens';

const CONTENTS = 'imagine/nextcloud/contents';
const FILES = 'imagine/nextcloud/files';

/** Entries of a folder that are fetched, page by page. A list of more is no longer read by anyone. */
export const MOST_ENTRIES = 10_000;

/** The statuses with which the server part says that the storage cannot be used at all, and that a new link helps. */
const NOT_USABLE = [424, 503];
const LINK_AGAIN = 424;
const NOT_THERE = 404;

/** The status with which the server part says that an upload is whole and on its way into the storage. */
const STORING = 202;

/** Why nothing works at the moment, in a sentence, and whether the user can mend it by linking the storage again. */
export interface ITrouble {
  message: string;
  link: boolean;
}

/** What the server part adds to a folder. */
interface IPage {
  content: Contents.IModel[];
  total: number | null;
  following: string | null;
}

type Saving = Partial<Contents.IModel> & Contents.IContentProvisionOptions;

export class NextcloudDrive extends Drive {
  constructor(serverSettings: ServerConnection.ISettings) {
    super({ name: DRIVE, apiEndpoint: CONTENTS, serverSettings });
    this.rest = new RestContentProvider({ apiEndpoint: CONTENTS, serverSettings });
  }

  /** Emitted when there is trouble or no more, and when a folder was listed. */
  get told(): ISignal<this, void> {
    return this._told;
  }

  get trouble(): ITrouble | null {
    return this._trouble;
  }

  /** Whether a folder, the one that was listed last, has several pages. */
  isLarge(localPath: string): boolean {
    return this._large?.path === localPath;
  }

  /** How many entries a folder has, if they are more than are shown; null if they are too many to count. */
  clipped(localPath: string): number | null | undefined {
    return this._clipped.get(localPath);
  }

  override async get(localPath: string, options?: Contents.IFetchOptions): Promise<Contents.IModel> {
    const isGlance = options?.content === false;
    const saved = this.seen.takeSaved(localPath);
    if (saved && isGlance) {
      // The Lab asks what it has just saved. By now that may be someone else's work, which it would take for its own.
      return saved;
    }
    const large = this.isLarge(localPath) && !isGlance ? this._large : null;
    const asked = large ? { ...options, unless: large.hash } : options;
    const model = await this.watched(super.get(localPath, asked)).catch(error => {
      if (error instanceof ServerConnection.ResponseError && error.response.status === NOT_THERE) {
        this.seen.forget(localPath);
      }
      throw error;
    });
    if (model.type === 'directory') {
      return isGlance ? model : model.content === null && large ? large : this.whole(localPath, model);
    }
    this.seen.read(localPath, model);
    return this.seen.isReadOnly(localPath) ? { ...model, writable: false } : model;
  }

  /** The file must still be what the user has seen. */
  override async save(localPath: string, options: Saving = {}): Promise<Contents.IModel> {
    if (!('chunk' in options)) {
      const saved = await this.watched(super.save(localPath, { ...options, ...this.seen.guardOfSave(localPath) }));
      this.seen.saved(localPath, saved);
      return saved;
    }
    const { chunk } = options;
    const model = { ...options, ...this.seen.guardOfUpload(localPath, chunk) };
    if (chunk !== undefined && chunk !== LAST) {
      // Past the drive's own way, which tells everyone of a new file with every chunk.
      return this.watched(this.rest.save(localPath, model));
    }
    const stored = await this.stored(localPath, model);
    this.seen.uploaded(localPath, stored);
    return stored;
  }

  override async rename(oldLocalPath: string, newLocalPath: string): Promise<Contents.IModel> {
    return this.watched(super.rename(oldLocalPath, newLocalPath)).finally(() => {
      this.seen.forget(oldLocalPath);
      this.seen.forget(newLocalPath);
    });
  }

  override async delete(localPath: string): Promise<void> {
    return this.watched(super.delete(localPath)).finally(() => this.seen.forget(localPath));
  }

  override async newUntitled(options: Contents.ICreateOptions = {}): Promise<Contents.IModel> {
    return this.watched(super.newUntitled(options));
  }

  override async copy(localPath: string, toDir: string): Promise<Contents.IModel> {
    return this.watched(super.copy(localPath, toDir));
  }

  /** Look whether there is such a file first: a link that fails later tells nobody why. */
  override async getDownloadUrl(localPath: string): Promise<string> {
    await this.watched(super.get(localPath, { content: false }));
    const guard = new URL(await super.getDownloadUrl('')).search;
    return URLExt.join(this.serverSettings.baseUrl, FILES, URLExt.encodeParts(localPath)) + guard;
  }

  /** A Nextcloud keeps the versions of a file itself. */
  override async createCheckpoint(): Promise<Contents.ICheckpointModel> {
    return { id: DRIVE, last_modified: new Date().toISOString() };
  }

  override async listCheckpoints(): Promise<Contents.ICheckpointModel[]> {
    return [];
  }

  /** Fetch a folder's other pages, one after another. */
  private async whole(localPath: string, model: Contents.IModel): Promise<Contents.IModel> {
    let page = model as unknown as IPage;
    const isLarge = page.following !== null;
    const content = [...page.content];
    while (page.following !== null && content.length < MOST_ENTRIES) {
      page = await this.watched(this.following(localPath, page.following));
      content.push(...page.content);
    }
    const found = content.length;
    content.splice(MOST_ENTRIES);
    if (page.following !== null || page.total === null || content.length < found) {
      this._clipped.set(localPath, page.total);
    } else {
      this._clipped.delete(localPath);
    }
    this.seen.list(content);
    this._told.emit();
    const listed = { ...model, content };
    this._large = isLarge ? listed : null;
    return listed;
  }

  private async following(localPath: string, following: string): Promise<IPage> {
    const address = URLExt.join(this.serverSettings.baseUrl, CONTENTS, URLExt.encodeParts(localPath));
    const query = URLExt.objectToQueryString({ following });
    const response = await ServerConnection.makeRequest(address + query, {}, this.serverSettings);
    if (!response.ok) {
      throw await ServerConnection.ResponseError.create(response);
    }
    return (await response.json()) as IPage;
  }

  /** Send what ends an upload, and ask until it is stored: a question that is open for long is cut off on its way. */
  private async stored(localPath: string, model: Saving): Promise<Contents.IModel> {
    for (let content = model.content; ; content = '') {
      try {
        return await this.watched(super.save(localPath, { ...model, content }));
      } catch (error) {
        if (!(error instanceof ServerConnection.ResponseError && error.response.status === STORING)) {
          throw error;
        }
      }
    }
  }

  /** Note from an answer whether the storage can be used. */
  private async watched<T>(asked: Promise<T>): Promise<T> {
    try {
      const answer = await asked;
      this.note(null);
      return answer;
    } catch (error) {
      if (error instanceof ServerConnection.ResponseError) {
        const { status } = error.response;
        this.note(NOT_USABLE.includes(status) ? { message: error.message, link: status === LINK_AGAIN } : null);
      }
      throw error;
    }
  }

  private note(trouble: ITrouble | null): void {
    if (trouble?.message !== this._trouble?.message) {
      this._trouble = trouble;
      this._told.emit();
    }
  }

  private readonly rest: RestContentProvider;
  private readonly seen = new Seen<Contents.IModel>(() => UUID.uuid4());
  private _told = new Signal<this, void>(this);
  private _trouble: ITrouble | null = null;
  /** The folder of several pages that is on the screen. It is listed anew only when it has changed. */
  private _large: Contents.IModel | null = null;
  private _clipped = new Map<string, number | null>();
}
