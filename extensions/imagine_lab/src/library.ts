/** The lists and their pages, as the model asks for them: requests in, views out. */

import type { ServerConnection } from '@jupyterlab/services';

import { requestAPI } from './request';
import type { ICard, ISheet, Kind } from './views';
import { moduleCard, moduleSheet, sharedCard, sharedSheet } from './views';
import type { ICatalogueEntry, IModelVersion, IPage, ISharedModel } from './wire';

export interface ILibrary {
  list(kind: Kind, text: string, offset: number): Promise<IPage<ICard>>;
  sheet(kind: Kind, name: string): Promise<ISheet>;
  /** Take a version of one's own back; the answer is its page from now on. */
  withdraw(name: string, version: number, reason: string): Promise<ISheet>;
}

export class ServerLibrary implements ILibrary {
  constructor(private readonly settings: ServerConnection.ISettings) {}

  async list(kind: Kind, text: string, offset: number): Promise<IPage<ICard>> {
    const query = { q: text, offset: String(offset) };
    if (kind === 'module') {
      const page = await requestAPI<IPage<ICatalogueEntry>>('catalogue', this.settings, { query });
      return { ...page, items: page.items.map(moduleCard) };
    }
    const page = await requestAPI<IPage<ISharedModel>>(`models/${kind}`, this.settings, { query });
    return { ...page, items: page.items.map(model => sharedCard(kind, model)) };
  }

  async sheet(kind: Kind, name: string): Promise<ISheet> {
    return kind === 'module'
      ? moduleSheet(await requestAPI<ICatalogueEntry>(`catalogue/${address(name)}`, this.settings))
      : sharedSheet(kind, await requestAPI<IModelVersion>(`models/${address(name)}`, this.settings));
  }

  async withdraw(name: string, version: number, reason: string): Promise<ISheet> {
    const path = `models/${address(name)}/versions/${version}/withdraw`;
    return sharedSheet('mine', await requestAPI<IModelVersion>(path, this.settings, { body: { reason } }));
  }
}

function address(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/');
}
