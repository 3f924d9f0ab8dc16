/**
 * Markdown from people whom the reader does not know.
 *
 * The Lab's sanitiser keeps scripts out. A model card must not do two more things that it allows: load a picture from
 * an address of its author's (which tells them who reads it, and when), and lead away from the Lab by a relative link.
 */

import type { IRenderMime } from '@jupyterlab/rendermime';

const KEPT_ATTRIBUTES = new Set(['href', 'src', 'title', 'alt', 'colspan', 'rowspan', 'class']);
const OUTWARD = /^(https?:|mailto:)/i;
const INLINE_PICTURE = /^data:image\//i;
const LOADS_SOMETHING = 'audio, video, source, track, iframe, object, embed, link, style, svg, form, input, button';

export class StrangersSanitizer implements IRenderMime.ISanitizer {
  constructor(private readonly lab: IRenderMime.ISanitizer) {}

  readonly allowNamedProperties = false;
  readonly allowCommandLinker = false;

  sanitize(dirty: string, options?: IRenderMime.ISanitizerOptions): string {
    // A parsed document, unlike an element of the page, loads nothing while it is worked on.
    const page = new DOMParser().parseFromString(this.lab.sanitize(dirty, options), 'text/html');
    page.querySelectorAll(LOADS_SOMETHING).forEach(element => element.remove());
    page.querySelectorAll('*').forEach(restrict);
    return page.body.innerHTML;
  }
}

function restrict(element: Element): void {
  for (const name of element.getAttributeNames()) {
    if (!KEPT_ATTRIBUTES.has(name)) {
      element.removeAttribute(name);
    }
  }
  if (element.tagName === 'IMG') {
    if (!INLINE_PICTURE.test(element.getAttribute('src') ?? '')) {
      element.replaceWith(element.getAttribute('alt') ?? '');
    }
  } else {
    element.removeAttribute('src');
  }
  if (!OUTWARD.test(element.getAttribute('href') ?? '')) {
    element.removeAttribute('href');
    if (element.tagName === 'A') {
      // What leads nowhere should not look as if it did.
      element.replaceWith(...element.childNodes);
    }
  }
}
