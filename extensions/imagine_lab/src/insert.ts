/** Put code into the user's notebook without taking anything away from it. */

import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { JupyterFrontEnd } from '@jupyterlab/application';

/**
 * Insert a code cell below the active cell of the current notebook, or into a new notebook when none is open.
 *
 * @returns the file name of the notebook that has the code now
 */
export async function insertCode(
  app: JupyterFrontEnd,
  notebooks: INotebookTracker | null,
  code: string
): Promise<string> {
  const current = notebooks?.currentWidget ?? null;
  // A notebook whose file cannot be changed would lose the cell at the next reload.
  const panel = current && !current.context.model.readOnly ? current : await newNotebook(app);
  await panel.context.ready;
  insertCell(panel, code);
  app.shell.activateById(panel.id);
  return panel.context.path.split('/').pop() ?? panel.context.path;
}

async function newNotebook(app: JupyterFrontEnd): Promise<NotebookPanel> {
  // With a kernel named, the Lab does not ask which one.
  const kernelName = app.serviceManager.kernelspecs.specs?.default;
  const panel: NotebookPanel = await app.commands.execute('notebook:create-new', kernelName ? { kernelName } : {});
  return panel;
}

function insertCell(panel: NotebookPanel, code: string): void {
  const { content } = panel;
  const cells = content.model?.sharedModel;
  if (!cells) {
    return;
  }
  const only = cells.cells.length === 1 ? cells.cells[0] : undefined;
  if (only?.cell_type === 'code' && only.source === '') {
    only.setSource(code);
    return;
  }
  // Through the shared model, so that one press of "undo" takes it back.
  const index = Math.min(content.activeCellIndex + 1, cells.cells.length);
  cells.insertCell(index, { cell_type: 'code', source: code, metadata: {} });
  content.deselectAll();
  content.activeCellIndex = index;
}
