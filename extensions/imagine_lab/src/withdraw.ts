/** Ask the owner of a model why a version shall be taken back, and say beforehand what that does. */

import { InputDialog } from '@jupyterlab/apputils';

/** @returns the reason; null when the owner thought better of it */
export async function askReason(name: string, version: number): Promise<string | null> {
  for (;;) {
    const { button, value } = await ask(name, version);
    if (!button.accept || value?.trim()) {
      return button.accept ? (value?.trim() ?? null) : null;
    }
  }
}

function ask(name: string, version: number): ReturnType<typeof InputDialog.getText> {
  return InputDialog.getText({
    title: `Withdraw ${name}`,
    label:
      `Nobody will be able to load version ${version} any more, and who tries is shown your reason. ` +
      'This cannot be undone. Why do you withdraw it?',
    placeholder: 'Two classes were swapped.',
    okLabel: 'Withdraw',
    required: true,
    // Something other than spaces.
    pattern: '.*\\S.*'
  });
}
