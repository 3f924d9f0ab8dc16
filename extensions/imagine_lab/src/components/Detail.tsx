import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import * as React from 'react';

import { sentence } from '../errors';
import type { Loaded } from '../model';
import type { ISheet } from '../views';
import type { IClass } from '../wire';
import { Badges } from './Badges';
import { Markdown } from './Markdown';
import { Message } from './Message';

/** As many classes as fit on a screen; a longer list is folded. */
const FEW_CLASSES = 12;

export interface IDetailProps {
  name: string;
  sheet: Loaded<ISheet>;
  rendermime: IRenderMimeRegistry;
  onBack: () => void;
  onRetry: () => void;
  onInsert: (code: string) => void;
  onCopy: (code: string) => void;
  /** Withdraw a version, once its owner has said why; false when the owner thought better of it. */
  onWithdraw: (version: number) => Promise<boolean>;
}

/** Everything about one module or shared model. */
export function Detail(props: IDetailProps): JSX.Element {
  const { sheet } = props;
  const back = React.useRef<HTMLButtonElement>(null);
  // The list that had the focus is gone: without this, the keyboard starts again at the top of the Lab.
  React.useEffect(() => back.current?.focus(), [props.name]);
  return (
    <div className="imagine-Detail">
      <button type="button" ref={back} className="imagine-Back" onClick={props.onBack}>
        ← All models
      </button>
      {sheet.state === 'failed' && <Message text={sheet.message} retry={props.onRetry} />}
      {sheet.state === 'loading' && <Message text={`Loading ${props.name}…`} />}
      {sheet.state === 'ready' && (
        <Sheet
          {...props}
          sheet={sheet.value}
          onWithdraw={async version => {
            const done = await props.onWithdraw(version);
            if (done) {
              // The button that had the focus is gone.
              back.current?.focus();
            }
            return done;
          }}
        />
      )}
    </div>
  );
}

function Sheet(props: Omit<IDetailProps, 'sheet'> & { sheet: ISheet }): JSX.Element {
  const { sheet } = props;
  return (
    <article>
      <h2>{sheet.title}</h2>
      <p className="imagine-Card-origin">{sheet.origin}</p>
      <Badges tasks={sheet.tasks} demonstration={sheet.demonstration} />
      {sheet.summary && <p>{sheet.summary}</p>}
      {sheet.code !== null && <Code {...props} code={sheet.code} />}
      {sheet.notes.map(note => (
        <p className="imagine-Note" key={note}>
          {note}
        </p>
      ))}
      <Figures sheet={sheet} />
      {sheet.classes.length > 0 && <Classes classes={sheet.classes} />}
      {sheet.description && <Markdown source={sheet.description} rendermime={props.rendermime} />}
      <Links links={sheet.links} />
      {sheet.withdrawable !== null && <Withdraw version={sheet.withdrawable} onWithdraw={props.onWithdraw} />}
    </article>
  );
}

function Code(props: Pick<IDetailProps, 'onInsert' | 'onCopy'> & { code: string }): JSX.Element {
  return (
    <div className="imagine-Code">
      <pre>{props.code}</pre>
      <div className="imagine-Code-buttons">
        <button
          type="button"
          className="imagine-Button imagine-mod-accept"
          title="As a new cell of the notebook that is open"
          onClick={() => props.onInsert(props.code)}
        >
          Insert code
        </button>
        <button type="button" className="imagine-Button" onClick={() => props.onCopy(props.code)}>
          Copy code
        </button>
      </div>
    </div>
  );
}

function Withdraw({ version, onWithdraw }: Pick<IDetailProps, 'onWithdraw'> & { version: number }): JSX.Element {
  const [problem, setProblem] = React.useState('');
  const alert = React.useRef<HTMLParagraphElement>(null);
  // The button is the last thing of the page: what appears below it would lie outside the panel.
  React.useEffect(() => {
    // In braces: newer browsers answer with a promise, which React would take for the effect's end.
    alert.current?.scrollIntoView({ block: 'nearest' });
  }, [problem]);
  const withdraw = (): void => {
    setProblem('');
    onWithdraw(version).catch((error: unknown) => setProblem(sentence(error)));
  };
  return (
    <div className="imagine-Withdraw">
      <button type="button" className="imagine-Button" title="Take this version back" onClick={withdraw}>
        Withdraw version {version}…
      </button>
      {problem && (
        <p role="alert" ref={alert}>
          {problem}
        </p>
      )}
    </div>
  );
}

function Figures({ sheet }: { sheet: ISheet }): JSX.Element | null {
  if (sheet.figures.length === 0) {
    return null;
  }
  return (
    <>
      <h3>How good it is</h3>
      <dl className="imagine-Figures">
        {sheet.figures.map(figure => (
          <div key={figure.label}>
            <dt>{figure.label}</dt>
            <dd>{figure.value}</dd>
          </div>
        ))}
      </dl>
      {sheet.measured && <p className="imagine-Fine">{sheet.measured}</p>}
    </>
  );
}

function Classes({ classes }: { classes: IClass[] }): JSX.Element {
  return (
    <details className="imagine-Classes" open={classes.length <= FEW_CLASSES}>
      <summary>Classes ({classes.length})</summary>
      <ul>
        {classes.map(({ name, aphia_id }) => (
          <li key={name} title={aphia_id === null ? undefined : `AphiaID ${aphia_id}`}>
            {name}
          </li>
        ))}
      </ul>
    </details>
  );
}

function Links({ links }: Pick<ISheet, 'links'>): JSX.Element | null {
  if (links.length === 0) {
    return null;
  }
  return (
    <>
      <h3>Links</h3>
      <ul className="imagine-Links">
        {links.map(link => (
          <li key={link.label}>
            <a href={link.url} target="_blank" rel="noopener noreferrer">
              {link.label}
            </a>
          </li>
        ))}
      </ul>
    </>
  );
}
