// Runs what `jco transpile` made of a bundle, as `wasmtime run` runs the bundle:
//
//     node run-bundle.mjs [--dir DIR::/NAME]… [--env NAME=VALUE]… BUNDLE.js WORD…
//
// It belongs where `node_modules` is, as its shim of WASI has to be the one that the bundle gets. `jco run` opens all files
// for what it runs and hands on the whole environment; here it is what was named, and nothing else.

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { _setArgs, _setCwd, _setEnv } from '@bytecodealliance/preview2-shim/cli';
import { _addPreopen, _setPreopens } from '@bytecodealliance/preview2-shim/filesystem';

// How wasmtime ends where a component traps.
const TRAPPED = 134;

const words = process.argv.slice(2);
const environment = {};
_setPreopens({});
while (words[0]?.startsWith('--')) {
  const [option, value = ''] = words.splice(0, 2);
  const [, dir, name] = /^(.+)::(\/.*)$/.exec(value) ?? [];
  const [, variable, text] = /^([^=]+)=(.*)$/.exec(value) ?? [];
  if (option === '--dir' && dir) {
    _addPreopen(name, resolve(dir));
  } else if (option === '--env' && variable) {
    environment[variable] = text;
  } else {
    wrong(`${option} ${value} is neither --dir DIR::/NAME nor --env NAME=VALUE`);
  }
}
const [bundle] = words;
if (!bundle) {
  wrong('no bundle is named: run-bundle.mjs [--dir DIR::/NAME] [--env NAME=VALUE] BUNDLE.js WORD…');
}
_setArgs(words);
_setEnv(environment);
_setCwd(undefined);

const { run } = await import(pathToFileURL(resolve(bundle)));
try {
  run.run();
} catch (error) {
  console.error(`${bundle}: ${error}`);
  process.exitCode = TRAPPED;
}

function wrong(message) {
  console.error(message);
  process.exit(2);
}
