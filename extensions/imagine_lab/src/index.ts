/** What this extension adds to the Lab. */

import { tutorialsPlugin } from './launcher';
import { drivePlugin } from './nextcloud';
import { panelPlugin } from './panel';

export default [panelPlugin, tutorialsPlugin, drivePlugin];
