// npm ci && npm run build: writes gateway/web/static/verifier.html, one file that works from a USB stick.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const here = import.meta.dirname;
const made = await build({
  entryPoints: [join(here, 'src/page.js')], bundle: true, minify: true, format: 'iife', target: 'es2020', legalComments: 'none', charset: 'utf8', write: false,
});
const script = made.outputFiles[0].text.replaceAll('</script', '<\\/script');
const style = (await build({ entryPoints: [join(here, 'src/page.css')], minify: true, write: false, charset: 'utf8' })).outputFiles[0].text;
const licences = [];
for (const name of ['@noble/curves', '@noble/hashes']) {
  const { version } = JSON.parse(await readFile(join(here, 'node_modules', name, 'package.json'), 'utf8'));
  licences.push(`${name} ${version}\n${(await readFile(join(here, 'node_modules', name, 'LICENSE'), 'utf8')).replace(/https?:\/\//g, '').trim()}`);
}
const hash = (text) => `sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}`;
const values = { SCRIPT_HASH: hash(script), STYLE_HASH: hash(style), STYLE: style, SCRIPT: script, LICENCES: licences.join('\n\n').replaceAll('--', '- -') };
const page = (await readFile(join(here, 'src/page.html'), 'utf8')).replace(/%([A-Z_]+)%/g, (_, name) => values[name]);
await writeFile(join(here, '../../gateway/web/static/verifier.html'), page);
