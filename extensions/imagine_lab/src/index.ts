/** What this extension adds to the Lab. */

import { tutorialsPlugin } from './launcher';
import { panelPlugin } from './panel';

export default [panelPlugin, tutorialsPlugin];
