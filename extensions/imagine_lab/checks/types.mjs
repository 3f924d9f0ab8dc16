// Check the types. The compiler and JupyterLab's declarations are installed by `cd checks && jlpm install`.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const compiler = join(import.meta.dirname, 'node_modules/typescript/bin/tsc');
if (!existsSync(compiler)) {
  console.error('Install what the types are checked against first: cd checks && jlpm install');
  process.exit(1);
}
const project = join(import.meta.dirname, '..');
process.exit(spawnSync(process.execPath, [compiler, '--project', project], { stdio: 'inherit' }).status ?? 1);
