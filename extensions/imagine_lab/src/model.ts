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
  readonly text: string;
  readonly lists: Readonly<Record<Kind, Loaded<IPage<ICard>>>>;
  /** The open detail page; null while the lists are shown. */
  readonly open: { kind: Kind; name: string; sheet: Loaded<ISheet> } | null;
}

const KINDS: readonly Kind[] = ['module', 'shared'];

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

  /** Load for the first time; later calls do nothing. */
  start(): void {
    if (!this._started) {
      this._started = true;
      this.refresh();
    }
  }

  /** Load again whatever is on the screen. */
  refresh(): void {
    clearTimeout(this._pause);
    KINDS.forEach(kind => void this.load(kind));
    if (this._state.open) {
      void this.open(this._state.open.kind, this._state.open.name);
    }
  }

  /** Search as the user types. */
  search(text: string): void {
    this.set({ text });
    clearTimeout(this._pause);
    this._pause = setTimeout(() => KINDS.forEach(kind => void this.load(kind)), PAUSE_MS);
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

  private async fetch(kind: Kind, offset: number, join: (page: IPage<ICard>) => IPage<ICard>): Promise<void> {
    // An answer that was overtaken by a later question must not replace that one's.
    const turn = ++this._listTurns[kind];
    let list: Loaded<IPage<ICard>>;
    try {
      list = { state: 'ready', value: join(await this.library.list(kind, this._state.text.trim(), offset)) };
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
    lists: { module: { state: 'loading', value: null }, shared: { state: 'loading', value: null } },
    open: null
  };
  private _started = false;
  private _pause: ReturnType<typeof setTimeout> | undefined;
  private _sheetTurn = 0;
  private readonly _listTurns: Record<Kind, number> = { module: 0, shared: 0 };
  private readonly _listeners = new Set<() => void>();
}
