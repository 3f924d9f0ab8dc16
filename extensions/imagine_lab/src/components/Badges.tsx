import * as React from 'react';

import { DEMONSTRATION } from '../views';

/** The tasks as tags, and before them the warning that a demonstration model needs. */
export function Badges(props: { tasks: string[]; demonstration: boolean }): JSX.Element | null {
  if (!props.demonstration && props.tasks.length === 0) {
    return null;
  }
  return (
    <span className="imagine-Badges">
      {props.demonstration && (
        <span className="imagine-Badge imagine-mod-demonstration" title={DEMONSTRATION}>
          demonstration
        </span>
      )}
      {props.tasks.map(task => (
        <span className="imagine-Badge" key={task}>
          {task}
        </span>
      ))}
    </span>
  );
}
