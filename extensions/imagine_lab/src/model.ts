/** What the panel shows at the moment, and how that changes. Knows neither HTML nor HTTP. */

import { sentence } from './errors';
import type { ILibrary } from './library';
import type { ICard, ISheet, Kind } from './views';
import type { IPage } from './wire';

/** How long typing must pause before a search is sent: long enough for a fast typist, too short to be noticed. */
export const PAUSE_MS = 250;

export type Loaded<T> =
  /** What was there before stays on the screen while the new is fetched. */
  | { state: 'loading'; value: T | null }
  | { state: 'ready'; value: T }
  | { state: 'failed'; message: string };

export interface IPanelState {
  /** What stands in the search box. */
  readonly text: string;
  /** What the lists were asked for: the same, once the typing has paused. */
  readonly searched: string;
  readonly lists: Readonly<Record<Kind, Loaded<IPage<ICard>>>>;
  /** The open detail page; null while the lists are shown. */
  readonly open: { kind: Kind; name: string; sheet: Loaded<ISheet> } | null;
}

const KINDS: readonly Kind[] = ['module', 'mine', 'shared'];

export class PanelModel {
  constructor(private readonly library: ILibrary) {}

  get state(): IPanelState {
    return this._state;
  }

  /** Be told of each change, in the form that React's external stores take. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this._listeners.add(listener);
    return () => this._listeners.delete(listener);
  };

  readonly getState = (): IPanelState => this._state;

  /** Someone looks: load for the first time, or look for what is new since. */
  show(): void {
    if (this._started) {
      void this.reload();
    } else {
      this._started = true;
      this.refresh();
    }
  }

  /** Look for what is new unseen: what is on the screen stays until the new is there, and also when none comes. */
  async reload(): Promise<void> {
    await Promise.all([...KINDS.map(kind => this.renew(kind)), this.renewSheet()]);
  }

  /** Load again whatever is on the screen. */
  refresh(): void {
    this.loadAll();
    if (this._state.open) {
      void this.open(this._state.open.kind, this._state.open.name);
    }
  }

  /** Search as the user types. */
  search(text: string): void {
    this.set({ text });
    clearTimeout(this._pause);
    this._pause = setTimeout(() => this.loadAll(), PAUSE_MS);
  }

  /** Load the first page of one list. */
  async load(kind: Kind): Promise<void> {
    const before = this._state.lists[kind];
    this.setList(kind, { state: 'loading', value: before.state === 'failed' ? null : before.value });
    await this.fetch(kind, 0, page => page);
  }

  /** Add the next page to one list. */
  async more(kind: Kind): Promise<void> {
    const list = this._state.lists[kind];
    if (list.state !== 'ready' || list.value.next === null) {
      return;
    }
    const { value } = list;
    this.setList(kind, { state: 'loading', value });
    await this.fetch(kind, value.next ?? 0, page => ({ ...page, items: [...value.items, ...page.items] }));
  }

  async open(kind: Kind, name: string): Promise<void> {
    const turn = ++this._sheetTurn;
    const show = (sheet: Loaded<ISheet>): void => {
      if (turn === this._sheetTurn) {
        this.set({ open: { kind, name, sheet } });
      }
    };
    show({ state: 'loading', value: null });
    try {
      show({ state: 'ready', value: await this.library.sheet(kind, name) });
    } catch (error) {
      show({ state: 'failed', message: sentence(error) });
    }
  }

  back(): void {
    this._sheetTurn++;
    this.set({ open: null });
  }

  /** Take a version of one's own back; the page that is open and the lists say so when it is done. */
  async withdraw(name: string, version: number, reason: string): Promise<void> {
    const sheet = await this.library.withdraw(name, version, reason);
    if (this._state.open?.name === name) {
      this._sheetTurn++;
      this.set({ open: { kind: 'mine', name, sheet: { state: 'ready', value: sheet } } });
    }
    await this.reload();
  }

  private loadAll(): void {
    clearTimeout(this._pause);
    this.set({ searched: this._state.text.trim() });
    KINDS.forEach(kind => void this.load(kind));
  }

  private async renew(kind: Kind): Promise<void> {
    const list = this._state.lists[kind];
    if (list.state === 'loading') {
      return;
    }
    const turn = ++this._listTurns[kind];
    const page = await this.firstPages(kind, list.state === 'ready' ? list.value.items.length : 0).catch(() => null);
    if (page !== null && turn === this._listTurns[kind]) {
      this.setList(kind, { state: 'ready', value: page });
    }
  }

  /** As much of a list as is on the screen, and whole pages. */
  private async firstPages(kind: Kind, shown: number): Promise<IPage<ICard>> {
    const { searched } = this._state;
    let page = await this.library.list(kind, searched, 0);
    while (page.next !== null && page.items.length < shown) {
      const more = await this.library.list(kind, searched, page.next);
      page = { ...more, items: [...page.items, ...more.items] };
    }
    return page;
  }

  private async renewSheet(): Promise<void> {
    const { open } = this._state;
    if (open === null || open.sheet.state === 'loading') {
      return;
    }
    if (open.sheet.state === 'ready' && open.sheet.value.code === null) {
      // A version that was withdrawn stays on the screen: another one in its place would look as if it were not gone.
      return;
    }
    const turn = ++this._sheetTurn;
    const value = await this.library.sheet(open.kind, open.name).catch(() => null);
    if (value !== null && turn === this._sheetTurn) {
      this.set({ open: { ...open, sheet: { state: 'ready', value } } });
    }
  }

  private async fetch(kind: Kind, offset: number, join: (page: IPage<ICard>) => IPage<ICard>): Promise<void> {
    // An answer that was overtaken by a later question must not replace that one's.
    const turn = ++this._listTurns[kind];
    let list: Loaded<IPage<ICard>>;
    try {
      list = { state: 'ready', value: join(await this.library.list(kind, this._state.searched, offset)) };
    } catch (error) {
      list = { state: 'failed', message: sentence(error) };
    }
    if (turn === this._listTurns[kind]) {
      this.setList(kind, list);
    }
  }

  private setList(kind: Kind, list: Loaded<IPage<ICard>>): void {
    this.set({ lists: { ...this._state.lists, [kind]: list } });
  }

  private set(change: Partial<IPanelState>): void {
    this._state = { ...this._state, ...change };
    this._listeners.forEach(listener => listener());
  }

  private _state: IPanelState = {
    text: '',
    searched: '',
    lists: {
      module: { state: 'loading', value: null },
      mine: { state: 'loading', value: null },
      shared: { state: 'loading', value: null }
    },
    open: null
  };
  private _started = false;
  private _pause: ReturnType<typeof setTimeout> | undefined;
  private _sheetTurn = 0;
  private readonly _listTurns: Record<Kind, number> = { module: 0, mine: 0, shared: 0 };
  private readonly _listeners = new Set<() => void>();
}
