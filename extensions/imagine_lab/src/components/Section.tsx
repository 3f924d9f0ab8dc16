import * as React from 'react';

import type { Loaded } from '../model';
import type { ICard } from '../views';
import type { IPage } from '../wire';
import { Badges } from './Badges';
import { Message } from './Message';

export interface ISectionProps {
  title: string;
  list: Loaded<IPage<ICard>>;
  /** What to say while loading, and when there is nothing. */
  loading: string;
  empty: string;
  onOpen: (card: ICard) => void;
  onMore: () => void;
  onRetry: () => void;
}

/** One of the lists, with its heading. */
export function Section(props: ISectionProps): JSX.Element {
  const heading = React.useId();
  const { list } = props;
  const page = list.state === 'failed' ? null : list.value;
  const isEmpty = page === null || page.items.length === 0;
  return (
    <section className="imagine-Section" aria-labelledby={heading} aria-busy={list.state === 'loading'}>
      <h2 id={heading}>
        {props.title}
        {page !== null && <span className="imagine-Section-count">{page.total}</span>}
      </h2>
      {list.state === 'failed' && <Message text={list.message} retry={props.onRetry} />}
      {list.state === 'loading' && isEmpty && <Message text={props.loading} />}
      {list.state === 'ready' && isEmpty && <Message text={list.value.note ?? props.empty} />}
      {page !== null && !isEmpty && (
        <ul className="imagine-List">
          {page.items.map(card => (
            <li key={card.name}>
              <Card card={card} onOpen={props.onOpen} />
            </li>
          ))}
        </ul>
      )}
      {page !== null && page.next !== null && (
        <button type="button" className="imagine-Button" onClick={props.onMore}>
          Show more
        </button>
      )}
    </section>
  );
}

function Card({ card, onOpen }: { card: ICard; onOpen: (card: ICard) => void }): JSX.Element {
  return (
    <button type="button" className="imagine-Card" data-name={card.name} onClick={() => onOpen(card)}>
      <span className="imagine-Card-title">{card.title}</span>
      <span className="imagine-Card-origin">{card.origin}</span>
      {card.summary && <span className="imagine-Card-summary">{card.summary}</span>}
      <Badges tasks={card.tasks} demonstration={card.demonstration} />
      {card.facts.length > 0 && <span className="imagine-Card-facts">{card.facts.join(' · ')}</span>}
    </button>
  );
}
