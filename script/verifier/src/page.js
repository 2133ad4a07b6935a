// The page: reads what is dropped, asks evidence.js, says it in words. No network, no storage.
import { Wrong, text, utf8 } from './encoding.js';
import { parseEvidence, parseProof, verifyEvidence, verifyProof } from './evidence.js';
import { leafHash } from './merkle.js';
import { parsePolicy } from './policy.js';
import { FAULTS, NAMES, RULES, WORDS, fill } from './words.js';

const LARGEST = 1 << 24;
const at = (id) => document.getElementById(id);
const given = { file: null, answer: null };

function element(name, attributes = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}

const both = (name, words, facts, attributes) => {
  const [zh, en] = fill(words, facts);
  return element(name, attributes, zh, element('span', { class: 'en', lang: 'en' }, en));
};
const known = (name) => (Object.hasOwn(NAMES, name) ? NAMES[name] : null);
const named = (name) => known(name) ?? [name, ''];
function instant(seconds) {
  const at = new Date(Number(seconds) * 1000);
  return Number.isNaN(at.getTime()) ? String(seconds) : at.toLocaleString('sv', { timeZone: 'Asia/Shanghai' }) + ' (UTC+8)';
}

// What turns the direction of what follows, or is not to be seen, is shown as its number.
// eslint-disable-next-line no-control-regex
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
const plain = (value) => String(value).replace(UNSEEN, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);

function shown(value) {
  if (value === null || value === undefined || value === '') return WORDS.none[0];
  if (typeof value !== 'object') return plain(value);
  if (Array.isArray(value)) return value.map(shown).join('；') || WORDS.none[0];
  return Object.entries(value).map(([name, one]) => `${plain(name)}: ${shown(one)}`).join('；') || WORDS.none[0];
}

function facts(record, open, blind) {
  const list = element('dl');
  for (const [name, value] of Object.entries(record)) {
    if (name === 'v' || name === 'subjects') continue;
    list.append(both('dt', named(name)));
    const hidden = blind.includes(name);
    const said = Object.hasOwn(open, name) ? open[name] : value;
    const word = name === 'decision' && known(said) ? known(said).join(' ') : shown(said);  // nobody else chooses a word of ours
    list.append(hidden ? both('dd', WORDS.hidden, {}, { class: 'soft' }) : element('dd', {}, word));
  }
  (record.subjects ?? []).forEach((_, number) => {
    const name = `subjects/${number}`;
    list.append(both('dt', NAMES.subjects));
    list.append(Object.hasOwn(open, name) ? element('dd', {}, shown(open[name])) : both('dd', WORDS.hidden, {}, { class: 'soft' }));
  });
  return list;
}

function points(items) {
  return element('ul', {}, ...items.filter(Boolean).map(([words, values]) => both('li', words, values)));
}

function verdict(found, hinted) {
  const names = [...found.witnesses.keys()];
  const latest = [...found.witnesses.values()].reduce((one, two) => (two > one ? two : one), 0n);
  const sure = found.enough && names.length > 0 && !hinted;
  const parts = Object.keys(found.shown ?? {});
  const out = [both('h2', sure ? WORDS.good : WORDS.weak, {}, { class: sure ? 'good' : 'weak', id: 'verdict' })];
  out.push(both('h3', WORDS.proves), points([
    [WORDS.provesIn, { origin: found.checkpoint.origin, index: found.index }],
    names.length && [WORDS.provesSeal, { count: names.length, names: names.join('、'), time: instant(latest) }],
    parts.length && [WORDS.provesParts, { names: parts.map((one) => named(one.split('/')[0])[0]).join('、') }],
    found.answerChecked && [WORDS.provesAnswer],
  ]));
  out.push(both('h3', WORDS.notProves), points([
    hinted && [WORDS.notHint],
    (!found.enough || !names.length) && [WORDS.notQuorum, { count: names.length }],
    found.page && [WORDS.notPage],
    [WORDS.notTrue], [WORDS.notTime], [WORDS.notAll],
    !found.answerChecked && found.record?.result && [WORDS.notAnswer],
  ]));
  if (found.record) {
    out.push(both('h3', WORDS.recordHead), both('p', RULES[found.record.type]), facts(found.record, found.shown, found.blind));
  } else {
    out.push(both('h3', WORDS.proofOnly), facts(found.entry, {}, []));
  }
  const behind = element('ul', {}, both('li', [`${WORDS.logKey[0]}：${found.log.written}`, WORDS.logKey[1]]));
  for (const [name, when] of found.witnesses) behind.append(element('li', {}, `${name}：${WORDS.witnessAt[0]} ${instant(when)}`));
  behind.append(element('li', {}, `${WORDS.size[0]} ${WORDS.size[1]}: ${found.checkpoint.size}`));
  out.push(both('h3', WORDS.signedBy), behind);
  return out;
}

function judge(hinted) {
  if (!given.file) throw new Wrong('NO_FILE');
  const proofOnly = text(given.file.slice(0, 22)) === 'c2sp.org/tlog-proof@v1';
  const evidence = proofOnly ? null : parseEvidence(given.file);
  const written = hinted && evidence ? evidence.hint : at('policy').value;
  if (!written.trim()) throw new Wrong('NO_POLICY');
  const policy = parsePolicy(written);
  if (evidence) return { ...verifyEvidence(evidence, policy, given.answer), page: evidence.page };
  const entry = at('entry').value.trim();
  if (!entry) throw new Wrong('NO_ENTRY');
  let said = {};
  try { said = JSON.parse(entry); } catch { throw new Wrong('NOT_AN_ENTRY'); }
  return { ...verifyProof(parseProof(given.file), leafHash(utf8(entry)), policy), entry: said };
}

function run(hinted) {
  const out = at('out');
  out.replaceChildren();
  try {
    out.append(...verdict(judge(hinted), hinted));
  } catch (error) {
    const code = error instanceof Wrong ? error.code : 'UNEXPECTED';
    const missing = ['NO_FILE', 'NO_POLICY', 'NO_ENTRY'].includes(code);
    if (!missing) out.append(both('h2', WORDS.bad, {}, { class: 'bad', id: 'verdict' }));
    out.append(both('p', FAULTS[code] ?? FAULTS.UNEXPECTED, error.facts, { class: 'fault', 'data-code': code }));
    if (code === 'NO_POLICY' && given.file) {
      const look = both('button', WORDS.useHint, {}, { class: 'second', id: 'hint' });
      look.addEventListener('click', () => run(true));
      out.append(look);
    }
  }
}

async function take(files, what) {
  const file = files[0];
  if (!file || file.size > LARGEST) return;
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (what === 'policy') {
    try { at('policy').value = text(bytes); } catch { at('policy').value = ''; }
  } else {
    given[what] = bytes;
  }
  at(`${what}Name`).textContent = file.name;
  if (given.file) run(false);
}

for (const what of ['policy', 'file', 'answer']) {
  at(`${what}Input`).addEventListener('change', (event) => take(event.target.files, what));
  const zone = at(`${what}Zone`);
  zone.addEventListener('dragover', (event) => { event.preventDefault(); zone.classList.add('over'); });
  zone.addEventListener('dragleave', () => zone.classList.remove('over'));
  zone.addEventListener('drop', (event) => { event.preventDefault(); zone.classList.remove('over'); take(event.dataTransfer.files, what); });
}
at('go').addEventListener('click', () => run(false));
at('print').addEventListener('click', () => window.print());
for (const node of document.querySelectorAll('[data-word]')) {
  const [zh, en] = WORDS[node.dataset.word];
  node.append(zh, element('span', { class: 'en', lang: 'en' }, en));
}
document.title = WORDS.title[0];
