/** The panel as a widget of the Lab's side bar. */

import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import type { IPanelProps } from './components/Panel';
import { Panel } from './components/Panel';
import { diatomIcon } from './icon';
import { PANEL_ID } from './tokens';

export class PanelWidget extends ReactWidget {
  constructor(private readonly props: IPanelProps) {
    super();
    this.id = PANEL_ID;
    this.addClass('imagine-PanelWidget');
    this.title.icon = diatomIcon;
    this.title.caption = 'iMagine: catalogue and shared models';
  }

  protected override render(): JSX.Element {
    return <Panel {...this.props} />;
  }

  /** Nothing is asked for before someone looks: the Lab starts no slower for a panel that stays closed. */
  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.props.model.show();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    if (this.isVisible) {
      this.props.model.show();
    }
  }
}
