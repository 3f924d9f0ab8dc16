import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { refreshIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { PanelModel } from '../model';
import type { ICard, Kind } from '../views';
import { Detail } from './Detail';
import { Section } from './Section';

export interface IPanelProps {
  model: PanelModel;
  rendermime: IRenderMimeRegistry;
  /** Do it, and give the sentence that says so. */
  onInsert: (code: string) => Promise<string>;
  onCopy: (code: string) => string;
}

/** The whole panel: the search and the two lists, or the page of one entry. */
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
      const cards = root.current?.querySelectorAll<HTMLElement>('.imagine-Card') ?? [];
      [...cards].find(card => card.dataset['name'] === left.current)?.focus();
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
  const nothing = text.trim() ? ` matches “${text.trim()}”.` : null;

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
            <Section
              title="Catalogue"
              loading="Loading the catalogue…"
              empty={nothing ? `No module${nothing}` : 'The catalogue is empty.'}
              {...section('module')}
            />
            <Section
              title="Shared with me"
              loading="Loading the shared models…"
              empty={nothing ? `No shared model${nothing}` : 'Nobody has shared a model with you yet.'}
              {...section('shared')}
            />
          </div>
        </>
      ) : (
        <div className="imagine-Scroll">
          <Detail
            name={open.name}
            sheet={open.sheet}
            rendermime={props.rendermime}
            onBack={() => {
              say('');
              model.back();
            }}
            onRetry={() => void model.open(open.kind, open.name)}
            onInsert={code => void props.onInsert(code).then(say)}
            onCopy={code => say(props.onCopy(code))}
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
