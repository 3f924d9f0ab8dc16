// Run src/__tests__ with Node's own runner. The bundler that the build has already compiles them: no test framework.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const require = createRequire(import.meta.url);
const { rspack } = require('@rspack/core');
const { resolve: names, module: rules } = require('../rspack.config.js');

const folder = resolve(import.meta.dirname, '../src/__tests__');
const output = mkdtempSync(join(tmpdir(), 'imagine-lab-'));
const tests = readdirSync(folder).filter(name => name.endsWith('.test.ts'));

const compiler = rspack({
  context: folder,
  mode: 'development',
  devtool: 'inline-source-map',
  target: 'node20',
  entry: Object.fromEntries(tests.map(name => [name, join(folder, name)])),
  output: { path: output, filename: '[name].cjs' },
  resolve: names,
  module: rules
});

compiler.run((error, stats) => {
  if (error || stats.hasErrors()) {
    console.error(error ?? stats.toString({ errors: true, all: false }));
    process.exit(1);
  }
  const files = tests.map(name => join(output, `${name}.cjs`));
  const { status } = spawnSync(process.execPath, ['--enable-source-maps', '--test', '--test-reporter=spec', ...files], { stdio: 'inherit' });
  rmSync(output, { recursive: true });
  process.exit(status ?? 1);
});
