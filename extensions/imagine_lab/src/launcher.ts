/** The plug-in that gives each tutorial a card in the launcher. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILauncher } from '@jupyterlab/launcher';

import { diatomIcon } from './icon';
import { requestAPI } from './request';
import { CATEGORY, CATEGORY_RANK, OPEN_TUTORIAL, TUTORIALS_PLUGIN } from './tokens';
import type { ITutorial } from './wire';

export const tutorialsPlugin: JupyterFrontEndPlugin<void> = {
  id: TUTORIALS_PLUGIN,
  description: 'A launcher card for each iMagine tutorial.',
  autoStart: true,
  optional: [ILauncher],
  activate: (app: JupyterFrontEnd, launcher: ILauncher | null) => {
    app.commands.addCommand(OPEN_TUTORIAL, {
      label: args => text(args['title']) || 'Open a tutorial',
      caption: args => text(args['summary']),
      icon: diatomIcon,
      execute: args => app.commands.execute('docmanager:open', { path: text(args['path']) }),
      describedBy: {
        args: {
          type: 'object',
          required: ['path'],
          properties: {
            path: { type: 'string', description: "The notebook's path below the server's root" },
            title: { type: 'string', description: 'What the card is called' },
            summary: { type: 'string', description: 'What the card says when pointed at' }
          }
        }
      }
    });
    if (launcher) {
      // Not waited for: the Lab is ready without them, and an open launcher shows them as they come.
      void addCards(app, launcher);
    }
  }
};

async function addCards(app: JupyterFrontEnd, launcher: ILauncher): Promise<void> {
  try {
    const { items } = await requestAPI<{ items: ITutorial[] }>('tutorials', app.serviceManager.serverSettings);
    items.forEach(({ path, title, summary }, rank) =>
      launcher.add({
        command: OPEN_TUTORIAL,
        args: { path, title, summary },
        category: CATEGORY,
        categoryRank: CATEGORY_RANK,
        rank
      })
    );
  } catch (error) {
    // A launcher without tutorials still launches; the panel says what is wrong with the server part.
    console.warn('The tutorials could not be listed.', error);
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
