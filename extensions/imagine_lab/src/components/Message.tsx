import * as React from 'react';

/** One plain sentence in the place of what is not there, with a way to try again where that helps. */
export function Message(props: { text: string; retry?: () => void }): JSX.Element {
  return (
    <div className="imagine-Message" role={props.retry ? 'alert' : 'status'}>
      <p>{props.text}</p>
      {props.retry && (
        <button type="button" className="imagine-Button" onClick={props.retry}>
          Try again
        </button>
      )}
    </div>
  );
}
