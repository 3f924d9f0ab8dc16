/** The plug-in that puts the user's Nextcloud beside the Lab's own file browser. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import type { FileBrowser } from '@jupyterlab/filebrowser';
import { IDefaultFileBrowser, IFileBrowserFactory, Uploader } from '@jupyterlab/filebrowser';
import { newFolderIcon, refreshIcon, ToolbarButton } from '@jupyterlab/ui-components';
import { Poll } from '@lumino/polling';

import { NextcloudDrive } from './drive';
import { cloudIcon } from './icon';
import { Notice } from './notice';
import { DRIVE_BROWSER, DRIVE_PLUGIN } from './tokens';

/** Right below the file browser (100). */
const RANK = 110;

/** Between two looks while the list is on the screen. */
const EVERY_MS = 30_000;

/** The longest that the Lab allows between two looks of its own, which it takes whether anyone sees the list or not. */
const LONGEST_MS = 300_000;

export const drivePlugin: JupyterFrontEndPlugin<void> = {
  id: DRIVE_PLUGIN,
  description: "The user's Nextcloud as a drive, with a file browser of its own.",
  autoStart: true,
  requires: [IFileBrowserFactory],
  optional: [IDefaultFileBrowser, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    factory: IFileBrowserFactory,
    files: IDefaultFileBrowser | null,
    restorer: ILayoutRestorer | null
  ) => {
    const { contents, serverSettings } = app.serviceManager;
    const drive = new NextcloudDrive(serverSettings);
    contents.addDrive(drive);
    const browser = factory.createFileBrowser(DRIVE_BROWSER, {
      driveName: drive.name,
      // Nothing is asked before someone looks: the Lab starts no slower for a drive that stays closed.
      auto: false,
      restore: false,
      refreshInterval: LONGEST_MS
    });
    browser.title.icon = cloudIcon;
    browser.title.caption = 'Nextcloud';
    // As in the Lab's own file browser, which reads it from its settings.
    browser.showFileCheckboxes = false;
    addButtons(browser);
    const look = (): void => void browser.model.refresh();
    const onShow = (): void => {
      makeCurrent(browser);
      void browser.model.restore(browser.id).then(look);
    };
    browser.header.addWidget(
      new Notice({ drive, browser, onShow, onHide: () => makeCurrent(files), onRetry: look })
    );
    makeCurrent(files);
    stayFresh(
      () => {
        // The Lab draws every row anew at each look, which takes seconds where there are thousands of them.
        if (browser.isVisible && !drive.isLarge(contents.localPath(browser.model.path))) {
          look();
        }
      },
      () => drive.trouble?.link === true
    );
    app.shell.add(browser, 'left', { rank: RANK });
    restorer?.add(browser, DRIVE_BROWSER);
  }
};

/**
 * Have the Lab's commands apply to a list: a new notebook is made where the user looks.
 *
 * The Lab goes by the keyboard's focus, which does not follow the side bar, and takes the newest list for the current
 * one as long as none has had it.
 */
function makeCurrent(browser: FileBrowser | null): void {
  browser?.node.dispatchEvent(new FocusEvent('focus'));
}

function addButtons(browser: FileBrowser): void {
  const newFolder = new ToolbarButton({
    icon: newFolderIcon,
    tooltip: 'New Folder',
    // What goes wrong is shown by the browser itself.
    onClick: () => void browser.createNewDirectory().catch(() => undefined)
  });
  const refresh = new ToolbarButton({
    icon: refreshIcon,
    tooltip: 'Refresh',
    onClick: () => void browser.model.refresh()
  });
  browser.toolbar.addItem('new-folder', newFolder);
  browser.toolbar.addItem('upload', new Uploader({ model: browser.model }));
  browser.toolbar.addItem('refresh', refresh);
}

/**
 * Look for what others have changed, and at once when the user comes back, as from linking the storage again.
 *
 * Nobody looks while the user has to do that first.
 */
function stayFresh(look: () => void, isUnlinked: () => boolean): void {
  window.addEventListener('focus', look);
  new Poll({
    name: 'imagine-lab:nextcloud',
    factory: async () => (isUnlinked() ? undefined : look()),
    frequency: { interval: EVERY_MS, backoff: false },
    standby: 'when-hidden'
  });
}
