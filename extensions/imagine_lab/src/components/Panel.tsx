import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { refreshIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IPanelState, PanelModel } from '../model';
import type { ICard, Kind } from '../views';
import { Detail } from './Detail';
import { Message } from './Message';
import { Section } from './Section';

/** The lists from top to bottom, and what each says while it has nothing to show. */
const SECTIONS: readonly { kind: Kind; title: string; loading: string; empty: string }[] = [
  { kind: 'module', title: 'Catalogue', loading: 'Loading the catalogue…', empty: 'The catalogue is empty.' },
  {
    kind: 'mine',
    title: 'My models',
    loading: 'Loading your models…',
    empty: 'You have shared no model yet: run model.share("my-model", to="everyone") in a notebook, and it appears here.'
  },
  {
    kind: 'shared',
    title: 'Shared with me',
    loading: 'Loading the shared models…',
    empty: 'Nobody has shared a model with you yet: what a colleague shares with you, your group or everyone appears here.'
  }
];

/** Tell whether a list can be left out: a search found nothing in it, or the list below says the same. */
function isNeedless(kind: Kind, { lists, searched }: IPanelState): boolean {
  const list = lists[kind];
  if (list.state === 'failed' || list.value === null || list.value.items.length > 0) {
    return false;
  }
  return searched !== '' || (kind === 'mine' && list.value.note !== undefined);
}

export interface IPanelProps {
  model: PanelModel;
  rendermime: IRenderMimeRegistry;
  /** Do it, and give the sentence that says so. */
  onInsert: (code: string) => Promise<string>;
  onCopy: (code: string) => string;
  /** Ask why, and withdraw a version; false when the owner thought better of it. */
  onWithdraw: (name: string, version: number) => Promise<boolean>;
}

/** The whole panel: the search and the lists, or the page of one entry. */
export function Panel(props: IPanelProps): JSX.Element {
  const { model } = props;
  const state = React.useSyncExternalStore(model.subscribe, model.getState);
  const [said, say] = React.useState('');
  const left = React.useRef<string | null>(null);
  const root = React.useRef<HTMLDivElement>(null);
  const { open, text } = state;

  // Coming back from a page, the keyboard goes on where it left the list.
  React.useEffect(() => {
    if (open === null && left.current !== null) {
      const cards = [...(root.current?.querySelectorAll<HTMLElement>('.imagine-Card') ?? [])];
      const card = cards.find(found => found.dataset['name'] === left.current);
      // A model that was withdrawn meanwhile has no card any more.
      (card ?? root.current?.querySelector<HTMLElement>('.imagine-Search'))?.focus();
      left.current = null;
    }
  }, [open]);

  const section = (kind: Kind): Pick<React.ComponentProps<typeof Section>, 'list' | 'onOpen' | 'onMore' | 'onRetry'> => ({
    list: state.lists[kind],
    onOpen: (card: ICard) => {
      left.current = card.name;
      say('');
      void model.open(kind, card.name);
    },
    onMore: () => void model.more(kind),
    onRetry: () => void model.load(kind)
  });
  const sections = SECTIONS.filter(({ kind }) => !isNeedless(kind, state));

  return (
    <div className="imagine-Panel" ref={root}>
      <header>
        <h1>iMagine</h1>
        <button
          type="button"
          className="imagine-Refresh"
          title="Refresh"
          aria-label="Refresh"
          onClick={() => model.refresh()}
        >
          <refreshIcon.react tag="span" elementSize="normal" />
        </button>
      </header>
      {open === null ? (
        <>
          <Search text={text} onSearch={value => model.search(value)} />
          <div className="imagine-Scroll">
            {sections.map(({ kind, ...words }) => (
              <Section key={kind} {...words} {...section(kind)} />
            ))}
            {sections.length === 0 && <Message text={`Nothing matches “${state.searched}”.`} />}
          </div>
        </>
      ) : (
        <div className="imagine-Scroll">
          <Detail
            name={open.name}
            sheet={open.sheet}
            rendermime={props.rendermime}
            onBack={() => model.back()}
            onRetry={() => void model.open(open.kind, open.name)}
            onInsert={code => void props.onInsert(code).then(say)}
            onCopy={code => say(props.onCopy(code))}
            onWithdraw={async version => {
              say('');
              const done = await props.onWithdraw(open.name, version);
              if (done) {
                say(`Version ${version} of ${open.name} is withdrawn: nobody can load it any more.`);
              }
              return done;
            }}
          />
        </div>
      )}
      <p className="imagine-Said" role="status" aria-live="polite">
        {said}
      </p>
    </div>
  );
}

function Search(props: { text: string; onSearch: (text: string) => void }): JSX.Element {
  return (
    <input
      type="search"
      className="imagine-Search"
      aria-label="Search the catalogue and the shared models"
      placeholder="Search models"
      spellCheck={false}
      value={props.text}
      onChange={event => props.onSearch(event.target.value)}
    />
  );
}
