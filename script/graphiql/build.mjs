// npm install && npm run build: writes app.js, app.css and LICENSES.txt to gateway/web/static/graphiql.
import { build } from 'esbuild';
import { readFile, readdir, writeFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const OUT = join(import.meta.dirname, '../../gateway/web/static/graphiql');
await mkdir(OUT, { recursive: true });

const result = await build({
  entryPoints: ['page.jsx'], bundle: true, minify: true, format: 'iife', target: 'es2022', metafile: true, legalComments: 'none',
  outfile: join(OUT, 'app.js'), jsx: 'automatic', define: { 'process.env.NODE_ENV': '"production"' },
});

// Fonts come inlined as data: addresses, which our policy forbids; the page uses the system's own.
const theirs = await readFile('node_modules/graphiql/dist/style.css', 'utf8');
const css = theirs.replace(/@font-face\s*\{[^}]*\}/g, '') + '\n' + (await readFile('header.css', 'utf8'));
await build({ stdin: { contents: css, loader: 'css' }, minify: true, outfile: join(OUT, 'app.css') });

const packages = new Set();
for (const input of Object.keys(result.metafile.inputs)) {
  const found = /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input);
  if (found) packages.add(found[1]);
}
packages.add('graphiql');
const texts = new Map(); // one text, all the packages under it
for (const name of [...packages].sort()) {
  const folder = join('node_modules', name);
  const about = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const file = (await readdir(folder)).find((one) => /^licen[cs]e/i.test(one));
  const text = file
    ? (await readFile(join(folder, file), 'utf8')).replace(/\r\n/g, '\n').trim()
    : `The package brings no text; its package.json says ${about.license}.`;
  texts.set(text, [...(texts.get(text) ?? []), `${name} ${about.version} (${about.license})`]);
}
let licences = 'What app.js and app.css are made of. Each part under its own licence.\n';
for (const [text, names] of texts) licences += `\n${'='.repeat(80)}\n${names.join('\n')}\n${'='.repeat(80)}\n${text}\n`;
await writeFile(join(OUT, 'LICENSES.txt'), licences);
