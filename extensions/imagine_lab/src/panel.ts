/** The plug-in that puts the panel into the Lab. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { Clipboard } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { IStateDB } from '@jupyterlab/statedb';

import { stayFresh } from './fresh';
import { insertCode } from './insert';
import { ServerLibrary } from './library';
import { PanelModel } from './model';
import { StrangersSanitizer } from './strangers';
import { PANEL_ID, PANEL_PLUGIN, SHOWN_KEY } from './tokens';
import { PanelWidget } from './widget';
import { askReason } from './withdraw';

/** After the file browser (100) and the running kernels (200): what the Lab's users know stays where it is. */
const RANK = 300;

export const panelPlugin: JupyterFrontEndPlugin<void> = {
  id: PANEL_PLUGIN,
  description: 'The iMagine panel: the catalogue, the shared models, and the code that loads them.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [INotebookTracker, ILayoutRestorer, IStateDB],
  activate: (
    app: JupyterFrontEnd,
    rendermime: IRenderMimeRegistry,
    notebooks: INotebookTracker | null,
    restorer: ILayoutRestorer | null,
    memory: IStateDB | null
  ) => {
    const model = new PanelModel(new ServerLibrary(app.serviceManager.serverSettings));
    const panel = new PanelWidget({
      model,
      rendermime: rendermime.clone({ sanitizer: new StrangersSanitizer(rendermime.sanitizer) }),
      onInsert: async code => {
        try {
          return `The code is in ${await insertCode(app, notebooks, code)}.`;
        } catch {
          return 'The code could not be inserted. Copy it, and paste it into a notebook.';
        }
      },
      onCopy: code => {
        Clipboard.copyToSystem(code);
        return 'The code is copied.';
      },
      onWithdraw: async (name, version) => {
        const reason = await askReason(name, version);
        if (reason !== null) {
          await model.withdraw(name, version, reason);
        }
        return reason !== null;
      }
    });
    stayFresh(panel, model);
    app.shell.add(panel, 'left', { rank: RANK });
    restorer?.add(panel, PANEL_ID);
    if (memory) {
      void app.restored.then(() => showOnce(app, memory));
    }
  }
};

/** Open the panel the first time that someone comes here, and never again by itself. */
async function showOnce(app: JupyterFrontEnd, memory: IStateDB): Promise<void> {
  if ((await memory.fetch(SHOWN_KEY)) === undefined) {
    app.shell.activateById(PANEL_ID);
    await memory.save(SHOWN_KEY, true);
  }
}
