/** The two lists and their pages, as the model asks for them: requests in, views out. */

import type { ServerConnection } from '@jupyterlab/services';

import { requestAPI } from './request';
import type { ICard, ISheet, Kind } from './views';
import { moduleCard, moduleSheet, sharedCard, sharedSheet } from './views';
import type { ICatalogueEntry, IModelVersion, IPage, ISharedModel } from './wire';

export interface ILibrary {
  list(kind: Kind, text: string, offset: number): Promise<IPage<ICard>>;
  sheet(kind: Kind, name: string): Promise<ISheet>;
}

export class ServerLibrary implements ILibrary {
  constructor(private readonly settings: ServerConnection.ISettings) {}

  async list(kind: Kind, text: string, offset: number): Promise<IPage<ICard>> {
    const query = { q: text, offset: String(offset) };
    if (kind === 'module') {
      const page = await requestAPI<IPage<ICatalogueEntry>>('catalogue', this.settings, query);
      return { ...page, items: page.items.map(moduleCard) };
    }
    const page = await requestAPI<IPage<ISharedModel>>('models', this.settings, query);
    return { ...page, items: page.items.map(sharedCard) };
  }

  async sheet(kind: Kind, name: string): Promise<ISheet> {
    const path = name.split('/').map(encodeURIComponent).join('/');
    return kind === 'module'
      ? moduleSheet(await requestAPI<ICatalogueEntry>(`catalogue/${path}`, this.settings))
      : sharedSheet(await requestAPI<IModelVersion>(`models/${path}`, this.settings));
  }
}
