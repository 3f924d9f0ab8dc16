/** What the server part answers: the parts of the platform's answers that the panel shows. */

export interface IPage<T> {
  items: T[];
  total: number;
  /** Offset of the next page; null on the last. */
  next: number | null;
  /** Why the list is short, in one sentence. */
  note?: string;
}

export interface IClass {
  name: string;
  /** The taxon's number in the World Register of Marine Species. */
  aphia_id: number | null;
}

export interface IMetrics {
  values: Record<string, number>;
  /** How many test images the values were measured on. */
  images: number;
  /** Whether the test images were kept apart by sample, cruise or individual. */
  grouped: boolean;
}

export type Status = 'released' | 'demonstration';

export interface ICatalogueEntry {
  name: string;
  title: string;
  summary: string;
  description: string;
  tasks: string[];
  links: Record<string, string>;
  classes: IClass[];
  metrics: IMetrics | null;
  /** Null where the library has no model package to load. */
  status: Status | null;
  warnings: string[];
}

export interface ISharedModel {
  owner: string;
  name: string;
  latest: number;
  task: string;
  status: Status;
  classes: number;
  metrics: IMetrics | null;
  base: string | null;
  summary: string;
}

export interface IModelVersion {
  owner: string;
  name: string;
  version: number;
  created: string;
  /** `everyone`, `user:NAME`, `group:NAME`. */
  audience: string[];
  /** Why it was withdrawn; null while it can be loaded. */
  withdrawn: string | null;
  card: string;
  manifest: {
    task: string;
    classes: IClass[];
    metrics: IMetrics | null;
    status: Status;
    provenance: { base: string | null };
  };
}

export interface ITutorial {
  path: string;
  title: string;
  summary: string;
}
