/** When the panel looks for what is new by itself: a model that was shared should be there before anyone asks for it. */

import { NotebookActions } from '@jupyterlab/notebook';
import { Poll, Throttler } from '@lumino/polling';
import type { Widget } from '@lumino/widgets';

import type { PanelModel } from './model';

/** Between two looks while the panel is on the screen: what a colleague shares is there before one has finished saying so. */
const EVERY_MS = 20_000;

/** After a cell has ended, which may have shared a model; a notebook that runs all its cells asks no more often. */
const AFTER_CELL_MS = 2_000;

export function stayFresh(panel: Widget, model: PanelModel): void {
  const look = async (): Promise<void> => {
    if (panel.isVisible) {
      await model.reload();
    }
  };
  const afterCell = new Throttler(() => void look(), { limit: AFTER_CELL_MS, edge: 'trailing' });
  NotebookActions.executed.connect(() => void afterCell.invoke());
  window.addEventListener('focus', () => void look());
  new Poll({
    name: 'imagine-lab:fresh',
    factory: look,
    frequency: { interval: EVERY_MS, backoff: false },
    standby: 'when-hidden'
  });
}
