// An evidence file: entry, record, salt, disclosed parts, proof. As ledger/evidence.py and ledger/proof.py.
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { Wrong, b64, canonical, hashOf, join, number, same, text, unb64, utf8 } from './encoding.js';
import { leafHash, verifyInclusion } from './merkle.js';
import { parseNote } from './note.js';
import { verifyCheckpoint } from './policy.js';

const BLINDED = {
  access: ['by', 'case', 'reference', 'inner'],
  change: ['by', 'object', 'detail', 'subject'],
  alert: ['about_id', 'detail', 'subject'],
};
const WHEN = { access: 'recorded_at', change: 'at', alert: 'opened_at' };
const HEAD = 'c2sp.org/tlog-proof@v1';
const commit = (salt, bytes) => hmac(sha256, salt, bytes);

/** From a .json or .html evidence file. Throws Wrong. */
export function parseEvidence(bytes) {
  let written = text(bytes);
  const page = written.trimStart().startsWith('<');
  if (page) {
    const inside = [...written.matchAll(/<script type="application\/json" id="evidence">([\s\S]*?)<\/script>/g)];
    if (inside.length !== 1) throw new Wrong('NOT_EVIDENCE'); // of two it would be open which one the page tells of
    written = inside[0][1];
  }
  let said;
  try {
    said = JSON.parse(written);
  } catch {
    throw new Wrong('NOT_EVIDENCE');
  }
  const names = ['format', 'entry', 'record', 'salt', 'disclosed', 'proof', 'vkeys'];
  if (!isObject(said) || said.format !== 'yimen-evidence/v1') throw new Wrong('NOT_EVIDENCE');
  if (Object.keys(said).length !== names.length || !names.every((name) => name in said)) throw new Wrong('NOT_EVIDENCE');
  const texts = [said.entry, said.salt, said.proof, said.vkeys];
  if (!texts.every((one) => typeof one === 'string') || !isObject(said.record) || !isObject(said.disclosed)) {
    throw new Wrong('NOT_EVIDENCE');
  }
  const disclosed = { ...said.disclosed };
  const result = disclosed.result;
  delete disclosed.result;
  return {
    entry: utf8(said.entry), entryText: said.entry, record: said.record, salt: hashOf(said.salt), disclosed,
    resultSalt: result === undefined ? null : saltOf(result), proof: parseProof(utf8(said.proof)), hint: said.vkeys, page,
  };
}

function saltOf(result) {
  if (!isObject(result) || Object.keys(result).length !== 1 || typeof result.salt !== 'string') throw new Wrong('NOT_EVIDENCE');
  const salt = unb64(result.salt);
  if (salt.length < 16 || salt.length > 64) throw new Wrong('NOT_EVIDENCE');
  return salt;
}

export function parseProof(bytes) {
  const whole = text(bytes);
  const split = whole.indexOf('\n\n');
  const lines = whole.slice(0, Math.max(split, 0)).split('\n');
  if (split < 0 || lines.shift() !== HEAD) throw new Wrong('NOT_A_PROOF');
  if (lines[0]?.startsWith('extra ')) unb64(lines.shift().slice(6));
  if (!lines[0]?.startsWith('index ') || lines.length > 64) throw new Wrong('NOT_A_PROOF');
  const index = number(lines.shift().slice(6));
  return { index, path: lines.map(hashOf), note: parseNote(utf8(whole.slice(split + 2))) };
}

/** Check all of it against the reader's own policy; `answer`: bytes or null. Throws Wrong; returns what is proven. */
export function verifyEvidence(evidence, policy, answer = null) {
  const entry = parseEntry(evidence);
  if (!same(hashOf(entry.commitment), commit(evidence.salt, utf8(canonical(evidence.record))))) throw new Wrong('OTHER_RECORD');
  sameKind(entry, evidence.record);
  const blinds = blindsOf(evidence.record);
  const shown = {};
  for (const [name, part] of Object.entries(evidence.disclosed)) {
    const whole = isObject(part) && Object.keys(part).length === 2 && typeof part.salt === 'string';
    if (!Object.hasOwn(blinds, name) || !whole || part.value === null || part.value === undefined) throw new Wrong('OTHER_PART', { name });
    const found = commit(hashOf(part.salt), utf8(canonical(part.value)));
    if (b64(found) !== blinds[name]) throw new Wrong('OTHER_PART', { name });
    shown[name] = part.value;
  }
  if (answer !== null) {
    if (!evidence.resultSalt || !evidence.record.result) throw new Wrong('ANSWER_UNKNOWN');
    const forms = [answer, withoutExtensions(answer)];
    if (!forms.some((one) => b64(commit(evidence.resultSalt, one)) === evidence.record.result)) throw new Wrong('OTHER_ANSWER');
  }
  const proven = verifyProof(evidence.proof, leafHash(evidence.entry), policy);
  const blind = Object.keys(blinds).filter((name) => !Object.hasOwn(shown, name));
  return { ...proven, entry, record: evidence.record, shown, blind, answerChecked: answer !== null };
}

/** An answer as it came over HTTP bears its receipt at its end, which cannot be part of what is recorded before. */
function withoutExtensions(answer) {
  const mark = utf8(',"extensions":');
  for (let at = answer.length - mark.length; at >= 0; at -= 1) {
    if (mark.every((one, offset) => one === answer[at + offset])) return join(answer.slice(0, at), utf8('}'));
  }
  return answer;
}

export function verifyProof(proof, leaf, policy) {
  const believed = verifyCheckpoint(proof.note, policy);
  verifyInclusion(leaf, proof.index, believed.checkpoint.size, proof.path, believed.checkpoint.root);
  return { ...believed, index: proof.index };
}

function parseEntry(evidence) {
  let said;
  try {
    said = JSON.parse(evidence.entryText);
  } catch {
    throw new Wrong('NOT_AN_ENTRY');
  }
  const whole = isObject(said) && said.v === 1 && ['actor', 'commitment', 'kind', 'time'].every((name) => typeof said[name] === 'string');
  if (!whole || canonical(said) !== evidence.entryText) throw new Wrong('NOT_AN_ENTRY');
  return said;
}

function sameKind(entry, record) {
  if (record.v !== 1 || !Object.hasOwn(BLINDED, record.type)) throw new Wrong('NOT_A_RECORD');
  const special = ['query', 'refusal', 'alert', 'log'];
  const wanted = { access: record.decision === 'ALLOW' ? 'query' : 'refusal', alert: 'alert' }[record.type];
  if (wanted ? entry.kind !== wanted : special.includes(entry.kind)) throw new Wrong('OTHER_KIND');
  sameFace(entry, record);
}

function sameFace(entry, record) {
  const { org, [WHEN[record.type]]: at } = record;
  if (typeof org !== 'string' || typeof at !== 'string') throw new Wrong('NOT_A_RECORD');
  const body = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/.test(org) ? org : org ? 'unlisted' : 'yimen';
  const bodies = { access: [body], change: [body, 'person'], alert: [body, 'yimen'] }[record.type];
  const [shown, happened] = [entry.time.slice(0, 19), at.slice(0, 19)];
  if (!bodies.includes(entry.actor) || (record.type === 'access' ? shown !== happened : shown < happened)) throw new Wrong('OTHER_FACE');
}

function blindsOf(record) {
  const found = {};
  for (const name of BLINDED[record.type]) if (record[name] !== null && record[name] !== undefined) found[name] = record[name];
  const subjects = record.subjects ?? [];
  if (!Array.isArray(subjects)) throw new Wrong('NOT_A_RECORD');
  subjects.forEach((one, at) => { found[`subjects/${at}`] = one; });
  Object.values(found).forEach((one) => hashOf(one));
  return found;
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
