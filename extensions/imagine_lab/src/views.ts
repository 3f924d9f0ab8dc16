/** What a card and a detail page show, worked out of what the platform answers. No HTML, no HTTP. */

import type { ICatalogueEntry, IClass, IMetrics, IModelVersion, ISharedModel } from './wire';

/** A module of the catalogue, a model that the user shares, or one that is shared with the user. */
export type Kind = 'module' | 'mine' | 'shared';

/** One line of a list. */
export interface ICard {
  kind: Kind;
  /** What `im.load` takes. */
  name: string;
  title: string;
  /** Where it comes from: "shared by ada"; the name for what has no other owner. */
  origin: string;
  summary: string;
  tasks: string[];
  demonstration: boolean;
  /** "12 classes", "macro-F1 0.906 on 212 images". */
  facts: string[];
}

export interface IFigure {
  label: string;
  value: string;
}

/** The detail page of a module or a shared model. */
export interface ISheet extends Omit<ICard, 'facts'> {
  /** Markdown from a stranger. */
  description: string;
  classes: IClass[];
  figures: IFigure[];
  /** On which images the figures were measured, in one sentence; null without figures. */
  measured: string | null;
  links: { label: string; url: string }[];
  notes: string[];
  /** The code that loads it; null when it cannot be loaded, and `notes` says why. */
  code: string | null;
  /** The version that the reader, its owner, may withdraw; null where there is nothing to withdraw. */
  withdrawable: number | null;
}

export const DEMONSTRATION = 'A demonstration model: it shows how things work. Do not use its answers in science.';

const FIGURE_NAMES: Record<string, string> = {
  macro_f1: 'Macro-F1',
  accuracy: 'Accuracy',
  balanced_accuracy: 'Balanced accuracy'
};

const LINK_NAMES: Record<string, string> = {
  source_code: 'Source code',
  docker_image: 'Container image',
  zenodo_doi: 'Zenodo',
  base_model: 'Base model',
  ai4_template: 'Template',
  self: 'Catalogue page'
};

export function moduleCard(entry: ICatalogueEntry): ICard {
  return {
    kind: 'module',
    name: entry.name,
    title: entry.title || entry.name,
    origin: entry.name,
    summary: entry.summary,
    tasks: entry.tasks,
    demonstration: entry.status === 'demonstration',
    facts: facts(entry.classes.length, entry.metrics)
  };
}

export function sharedCard(kind: Kind, model: ISharedModel): ICard {
  return {
    ...naming(kind, model),
    summary: model.summary,
    tasks: [model.task],
    demonstration: model.status === 'demonstration',
    facts: facts(model.classes, model.metrics)
  };
}

export function moduleSheet(entry: ICatalogueEntry): ISheet {
  const notes = entry.status === 'demonstration' ? [DEMONSTRATION, ...entry.warnings] : [...entry.warnings];
  if (entry.status === null) {
    notes.unshift('This module comes without a model package that the library can load.');
  }
  return {
    ...moduleCard(entry),
    description: entry.description,
    classes: entry.classes,
    figures: figures(entry.metrics),
    measured: measured(entry.metrics),
    links: links(entry.links),
    notes,
    code: entry.status === null ? null : loadingCode(entry.name),
    withdrawable: null
  };
}

export function sharedSheet(kind: Kind, version: IModelVersion): ISheet {
  const { manifest } = version;
  const names = naming(kind, version);
  const loadable = version.withdrawn === null;
  const notes = [`Version ${version.version}, shared on ${version.created.slice(0, 10)} with ${readers(version.audience)}.`];
  if (manifest.provenance.base) {
    notes.push(`Retrained from ${manifest.provenance.base}.`);
  }
  if (manifest.status === 'demonstration') {
    notes.unshift(DEMONSTRATION);
  }
  if (!loadable) {
    notes.unshift(`It was withdrawn and can no longer be loaded: ${version.withdrawn}`);
  }
  return {
    ...names,
    summary: '',
    tasks: [manifest.task],
    demonstration: manifest.status === 'demonstration',
    description: version.card,
    classes: manifest.classes,
    figures: figures(manifest.metrics),
    measured: measured(manifest.metrics),
    links: [],
    notes,
    code: loadable ? loadingCode(names.name) : null,
    withdrawable: loadable && kind === 'mine' ? version.version : null
  };
}

function naming(kind: Kind, model: { owner: string; name: string }): Pick<ICard, 'kind' | 'name' | 'title' | 'origin'> {
  const name = `${model.owner}/${model.name}`;
  return { kind, name, title: model.name, origin: kind === 'mine' ? name : `shared by ${model.owner}` };
}

/** The cell that loads a model. A JSON string is a Python string too, so no name can end the quotes. */
export function loadingCode(name: string): string {
  return `import imagine_lib as im\nmodel = im.load(${JSON.stringify(name)})\nmodel`;
}

function facts(classes: number, metrics: IMetrics | null): string[] {
  const found: string[] = [];
  if (classes > 0) {
    found.push(classes === 1 ? '1 class' : `${classes} classes`);
  }
  const macroF1 = metrics?.values['macro_f1'];
  if (metrics && macroF1 !== undefined) {
    found.push(`macro-F1 ${macroF1.toFixed(3)} on ${images(metrics.images)}`);
  }
  return found;
}

function figures(metrics: IMetrics | null): IFigure[] {
  return Object.entries(metrics?.values ?? {}).map(([name, value]) => ({
    label: FIGURE_NAMES[name] ?? words(name),
    value: Math.abs(value) <= 1 ? value.toFixed(3) : value.toLocaleString('en', { maximumFractionDigits: 2 })
  }));
}

function measured(metrics: IMetrics | null): string | null {
  if (!metrics) {
    return null;
  }
  const how = metrics.grouped
    ? 'kept apart from training by group.'
    : 'drawn one by one: expect less on images from a new sample.';
  return `Measured on ${images(metrics.images)}, ${how}`;
}

/** Only addresses that a browser opens as a page: a `javascript:` link would run as the user. */
function links(all: Record<string, string>): { label: string; url: string }[] {
  return Object.entries(all)
    .filter(([, url]) => /^https?:\/\//i.test(url))
    .map(([name, url]) => ({ label: LINK_NAMES[name] ?? words(name), url }));
}

/** "everyone", "ada, the group imagine-users". */
function readers(audience: string[]): string {
  return audience.map(who => who.replace(/^user:/, '').replace(/^group:/, 'the group ')).join(', ');
}

function images(count: number): string {
  return count === 1 ? '1 test image' : `${count.toLocaleString('en')} test images`;
}

function words(name: string): string {
  const spaced = name.replace(/_/g, ' ');
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
