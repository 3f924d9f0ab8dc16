import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

const MARKDOWN = 'text/markdown';

/** Markdown as the Lab renders it, always untrusted. */
export function Markdown(props: { source: string; rendermime: IRenderMimeRegistry }): JSX.Element {
  const { source, rendermime } = props;
  const host = React.useRef<HTMLDivElement>(null);
  // A layout effect, because its end comes before React takes the host out of the page: a widget can be disposed of
  // only while it is in it.
  React.useLayoutEffect(() => {
    const renderer = rendermime.createRenderer(MARKDOWN);
    if (host.current) {
      // Attached as a widget, because formulas are typeset only in one that is.
      Widget.attach(renderer, host.current);
    }
    void renderer.renderModel(rendermime.createModel({ data: { [MARKDOWN]: source }, trusted: false }));
    return () => renderer.dispose();
  }, [source, rendermime]);
  return <div ref={host} className="imagine-Markdown" />;
}
