/** The names by which the Lab knows the panel, the drive, their commands and what they remember. */

export const PANEL_PLUGIN = 'imagine-lab:panel';
export const TUTORIALS_PLUGIN = 'imagine-lab:tutorials';

export const DRIVE_PLUGIN = 'imagine-lab:nextcloud';

export const PANEL_ID = 'imagine-lab-panel';
export const DRIVE_BROWSER = 'imagine-lab-nextcloud';

/** What paths on the drive begin with. The library takes them as they are. */
export const DRIVE = 'nextcloud';
export const OPEN_TUTORIAL = 'imagine-lab:open-tutorial';

/** State database key: whether the panel has been shown to this user once. */
export const SHOWN_KEY = 'imagine-lab:shown';

/** The heading of the launcher's cards. */
export const CATEGORY = 'iMagine';

/** Where in the launcher: below the Lab's notebooks (0), above its consoles (20). */
export const CATEGORY_RANK = 10;
