/** What the Nextcloud drive has to say above its list: whose files these are, and why they are not there. */

import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import type { FileBrowser } from '@jupyterlab/filebrowser';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import type { NextcloudDrive } from './drive';
import { MOST_ENTRIES } from './drive';

export interface INoticeOptions {
  drive: NextcloudDrive;
  browser: FileBrowser;
  /** The list has come on the screen. */
  onShow: () => void;
  /** It has gone from the screen. */
  onHide: () => void;
  /** The user wants it looked at again. */
  onRetry: () => void;
}

export class Notice extends ReactWidget {
  constructor(private readonly options: INoticeOptions) {
    super();
    this.addClass('imagine-Notice');
    options.drive.told.connect(() => this.update());
    options.browser.model.pathChanged.connect(() => this.update());
  }

  protected override render(): JSX.Element {
    const { drive, browser, onRetry } = this.options;
    const page = storagePage();
    const crowd = drive.trouble ? undefined : crowdOf(drive, browser.model.path);
    return (
      <>
        <h2>Nextcloud</h2>
        {drive.trouble && (
          <div className="imagine-Message" role="alert">
            <p>{drive.trouble.message}</p>
            <div className="imagine-Notice-buttons">
              {drive.trouble.link && page && (
                <a className="imagine-Button imagine-mod-accept" href={page} target="_blank" rel="noopener">
                  Link your storage
                </a>
              )}
              <button type="button" className="imagine-Button" onClick={onRetry}>
                Try again
              </button>
            </div>
          </div>
        )}
        {crowd && (
          <p className="imagine-Message" role="status">
            {crowd}
          </p>
        )}
      </>
    );
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.options.onShow();
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.options.onHide();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    if (this.isVisible) {
      this.options.onShow();
    }
  }
}

/** Say that a folder has more entries than its list. */
function crowdOf(drive: NextcloudDrive, path: string): string | undefined {
  const localPath = path.slice(path.indexOf(':') + 1).replace(/^\//, '');
  const total = drive.clipped(localPath);
  if (total === undefined) {
    return undefined;
  }
  const [most, all] = [MOST_ENTRIES.toLocaleString('en'), total?.toLocaleString('en')];
  const has = all ? `${all} entries, and the first ${most} of them` : `more than ${most} entries, and so many`;
  return `This folder has ${has} are listed here; open the others by name in a notebook, as nextcloud:/${localPath}.`;
}

/** Where a storage is linked; outside the hub, nowhere. */
function storagePage(): string {
  const prefix = PageConfig.getOption('hubPrefix');
  return prefix && URLExt.join(PageConfig.getOption('hubHost'), prefix, 'imagine', 'storage');
}
