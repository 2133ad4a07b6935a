// Signed notes, keys and checkpoints (C2SP signed-note, tlog-checkpoint, tlog-cosignature). As ledger/note.py.
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { Wrong, hashOf, hex, isKeyName, join, number, same, text, unb64, utf8 } from './encoding.js';
import { EMPTY_ROOT } from './merkle.js';

export const ED25519 = 1;
export const COSIGNATURE = 4;
const MOST_SIGNATURES = 64;
const LENGTHS = { [ED25519]: 64, [COSIGNATURE]: 72 };

export function parseVkey(written) {
  const [name, id, ...rest] = written.split('+');
  const raw = unb64(rest.join('+'));
  if (!isKeyName(name) || !/^[0-9a-f]{8}$/.test(id ?? '') || raw.length < 2) throw new Wrong('NOT_A_KEY');
  const key = { name, type: raw[0], bytes: raw.slice(1), written };
  key.id = sha256(join(utf8(`${name}\n`), raw)).slice(0, 4);
  if (hex(key.id) !== id) throw new Wrong('KEY_ID', { name });
  if (key.type !== ED25519 && key.type !== COSIGNATURE) throw new Wrong('KEY_TYPE', { name });
  if (key.bytes.length !== 32) throw new Wrong('NOT_A_KEY');
  return key;
}

/** Throws Wrong for what is no signed note, however it is signed. */
export function parseNote(bytes) {
  const whole = text(bytes);
  const split = whole.lastIndexOf('\n\n');
  // eslint-disable-next-line no-control-regex
  if (split < 0 || !whole.endsWith('\n') || /[\0-\x09\x0b-\x1f]/.test(whole)) throw new Wrong('NOT_A_NOTE');
  const lines = whole.slice(split + 2).split('\n').slice(0, -1);
  if (!lines.length || lines.length > MOST_SIGNATURES) throw new Wrong('NOT_A_NOTE');
  return { text: whole.slice(0, split + 1), signatures: lines.map(parseSignature) };
}

function parseSignature(line) {
  const found = /^— ([^ ]+) ([^ ]+)$/.exec(line);
  if (!found || !isKeyName(found[1])) throw new Wrong('NOT_A_NOTE');
  const raw = unb64(found[2]);
  if (raw.length < 5) throw new Wrong('NOT_A_NOTE');
  return { name: found[1], id: raw.slice(0, 4), value: raw.slice(4) };
}

/** [{key, at}] of the known keys that signed; `at` a BigInt of POSIX seconds, for cosignatures. A known key's bad line throws. */
export function verifyNote(note, keys) {
  const found = new Map();
  for (const signature of note.signatures) {
    const key = keys.find((one) => one.name === signature.name && same(one.id, signature.id));
    if (!key) continue;
    const at = verifySignature(note.text, signature, key);
    const before = found.get(key);
    if (before === undefined || (at ?? 0n) > (before ?? 0n)) found.set(key, at);
  }
  return [...found].map(([key, at]) => ({ key, at }));
}

function verifySignature(said, signature, key) {
  let [value, at, signed] = [signature.value, null, said];
  if (value.length !== LENGTHS[key.type]) throw new Wrong('SIGNATURE', { name: key.name });
  if (key.type === COSIGNATURE) {
    at = value.slice(0, 8).reduce((sum, one) => (sum << 8n) | BigInt(one), 0n);
    value = value.slice(8);
    if (at >= 1n << 63n) throw new Wrong('SIGNATURE', { name: key.name });
    signed = `cosignature/v1\ntime ${at}\n${said}`;
  }
  let good = false;
  try {
    good = ed25519.verify(value, utf8(signed), key.bytes, { zip215: false });
  } catch {
    good = false;
  }
  if (!good) throw new Wrong('SIGNATURE', { name: key.name });
  return at;
}

export function parseCheckpoint(said) {
  const lines = said.split('\n');
  if (lines.length < 4 || lines.pop() !== '' || !lines.every(Boolean) || !isKeyName(lines[0])) throw new Wrong('NOT_A_CHECKPOINT');
  const checkpoint = { origin: lines[0], size: number(lines[1]), root: hashOf(lines[2]) };
  if (checkpoint.size === 0n && !same(checkpoint.root, EMPTY_ROOT)) throw new Wrong('NOT_A_CHECKPOINT');
  return checkpoint;
}
