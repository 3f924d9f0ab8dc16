/** Answers of the platform, for the tests. */

import type { ICatalogueEntry, IModelVersion } from '../wire';

export function entry(change: Partial<ICatalogueEntry> = {}): ICatalogueEntry {
  return {
    name: 'phytoplankton',
    title: 'Phytoplankton classification',
    summary: 'Names phytoplankton.',
    description: '# About',
    tasks: ['Classification'],
    links: {},
    classes: [
      { name: 'disc', aphia_id: null },
      { name: 'rod', aphia_id: 7 }
    ],
    metrics: { values: { accuracy: 0.93, macro_f1: 0.906, images_per_second: 1234.5 }, images: 1400, grouped: true },
    status: 'released',
    warnings: [],
    ...change
  };
}

export function version(change: Partial<IModelVersion> = {}): IModelVersion {
  return {
    owner: 'ada',
    name: 'copepods',
    version: 3,
    created: '2026-05-04T10:00:00Z',
    audience: ['user:ada', 'group:imagine-users'],
    withdrawn: null,
    card: '# Copepods',
    manifest: {
      task: 'classification',
      classes: [{ name: 'Acartia', aphia_id: null }],
      metrics: { values: { macro_f1: 0.5 }, images: 1, grouped: false },
      status: 'demonstration',
      provenance: { base: 'phytoplankton' }
    },
    ...change
  };
}
