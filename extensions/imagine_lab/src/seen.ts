/** What the user of a window has seen of the storage: a write may replace that, and nothing that came later. */

/** The number of an upload's first and last chunk. */
const FIRST = 1;
export const LAST = -1;

interface IFile {
  path: string;
  hash?: string;
  writable?: boolean;
}

/** What goes with a write: the entity tag that must still be there, without one nothing; and an upload's name. */
export interface IGuard {
  hash?: string;
  upload?: string;
}

export class Seen<File extends IFile> {
  /** @param newName - Makes a name that no other upload has, in this window or another. */
  constructor(private readonly newName: () => string) {}

  /** A folder is on the screen, in place of the one before. */
  list(files: readonly File[]): void {
    this._listed = new Map(files.map(file => [file.path, file]));
  }

  /** A file was read or looked at. */
  read(path: string, file: File): void {
    if (file.hash) {
      this._read.set(path, file.hash);
    }
  }

  /** A file was saved. The Lab looks at it right away, and takes what it finds for its own. */
  saved(path: string, file: File): void {
    this.uploaded(path, file);
    this.read(path, file);
    this._saved.set(path, file);
  }

  /** An upload is stored. */
  uploaded(path: string, file: File): void {
    this._listed.set(path, file);
  }

  /** Whether the list says that the user may not change a file; what is read does not tell. */
  isReadOnly(path: string): boolean {
    return this._listed.get(path)?.writable === false;
  }

  /** Return what was just saved, once. */
  takeSaved(path: string): File | undefined {
    const saved = this._saved.get(path);
    this._saved.delete(path);
    return saved;
  }

  /** Whatever was seen there, and below, is there no more. */
  forget(path: string): void {
    for (const seen of [this._listed, this._read, this._saved]) {
      for (const known of [...seen.keys()]) {
        if (known === path || known.startsWith(`${path}/`)) {
          seen.delete(known);
        }
      }
    }
  }

  /** A save replaces what was read. */
  guardOfSave(path: string): IGuard {
    return guard(this._read.get(path));
  }

  /** An upload replaces what was listed when it began, whatever is listed while it is on its way. */
  guardOfUpload(path: string, chunk: number | undefined): IGuard {
    if (chunk === undefined) {
      return guard(this._listed.get(path)?.hash);
    }
    if (chunk === FIRST) {
      this._uploads.set(path, { ...guard(this._listed.get(path)?.hash), upload: this.newName() });
    }
    const begun = this._uploads.get(path) ?? {};
    if (chunk === LAST) {
      this._uploads.delete(path);
    }
    return begun;
  }

  /** What is in the folder that is on the screen. */
  private _listed = new Map<string, File>();
  /** Entity tags. */
  private _read = new Map<string, string>();
  private _saved = new Map<string, File>();
  private _uploads = new Map<string, IGuard>();
}

function guard(hash: string | undefined): IGuard {
  return hash ? { hash } : {};
}
