/** The names by which the Lab knows the panel, its commands and what it remembers. */

export const PANEL_PLUGIN = 'imagine-lab:panel';
export const TUTORIALS_PLUGIN = 'imagine-lab:tutorials';

export const PANEL_ID = 'imagine-lab-panel';
export const OPEN_TUTORIAL = 'imagine-lab:open-tutorial';

/** State database key: whether the panel has been shown to this user once. */
export const SHOWN_KEY = 'imagine-lab:shown';

/** The heading of the launcher's cards. */
export const CATEGORY = 'iMagine';

/** Where in the launcher: below the Lab's notebooks (0), above its consoles (20). */
export const CATEGORY_RANK = 10;
