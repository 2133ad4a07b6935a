// Whom the reader believes (C2SP tlog-policy). As ledger/policy.py.
import { Wrong } from './encoding.js';
import { COSIGNATURE, ED25519, parseCheckpoint, parseVkey, verifyNote } from './note.js';

/** Throws Wrong POLICY with the line at fault. */
export function parsePolicy(written) {
  const policy = { logs: [], witnesses: new Map(), groups: new Map(), quorum: null };
  const members = new Set();
  const keys = new Set();
  const own = (vkey, type) => {
    const key = parseVkey(vkey ?? '');
    if (key.type !== type || keys.has(String(key.bytes))) throw new Wrong('POLICY');
    keys.add(String(key.bytes));
    return key;
  };
  const fresh = (name) => {
    if (!name || name === 'none' || policy.witnesses.has(name) || policy.groups.has(name)) throw new Wrong('POLICY');
  };
  const known = (name) => policy.witnesses.has(name) || policy.groups.has(name);
  written.split('\n').forEach((line, at) => {
    const [word, ...rest] = line.replace(/\r$/, '').replace(/#.*/, '').split(/[ \t]+/).filter(Boolean);
    try {
      if (word === 'log' && rest.length <= 2) policy.logs.push(own(rest[0], ED25519));
      else if (word === 'witness' && rest.length >= 2 && rest.length <= 3) {
        fresh(rest[0]);
        policy.witnesses.set(rest[0], own(rest[1], COSIGNATURE));
      } else if (word === 'group') {
        const [name, needed, ...of] = rest;
        fresh(name);
        if (!of.length || new Set(of).size !== of.length || of.some((one) => !known(one) || members.has(one))) throw new Wrong('POLICY');
        const count = needed === 'all' ? of.length : needed === 'any' ? 1 : /^[1-9][0-9]*$/.test(needed) ? Number(needed) : 0;
        if (count < 1 || count > of.length) throw new Wrong('POLICY');
        of.forEach((one) => members.add(one));
        policy.groups.set(name, { count, of });
      } else if (word === 'quorum' && policy.quorum === null && rest.length === 1 && (rest[0] === 'none' || known(rest[0]))) {
        policy.quorum = rest[0];
      } else if (word !== undefined) throw new Wrong('POLICY');
    } catch (error) {
      if (!(error instanceof Wrong)) throw error;
      throw new Wrong(error.code.startsWith('KEY') ? error.code : 'POLICY', { ...error.facts, line: at + 1 });
    }
  });
  if (policy.quorum === null || !policy.logs.length) throw new Wrong('POLICY_INCOMPLETE');
  return policy;
}

/** Who signed a checkpoint: {checkpoint, log, witnesses: Map name -> BigInt seconds, enough}. Throws Wrong. */
export function verifyCheckpoint(note, policy) {
  const checkpoint = parseCheckpoint(note.text);
  const logs = policy.logs.filter((one) => one.name === checkpoint.origin);
  if (!logs.length) throw new Wrong('OTHER_LOG', { origin: checkpoint.origin });
  const signed = verifyNote(note, logs);
  if (!signed.length) throw new Wrong('LOG_UNSIGNED', { origin: checkpoint.origin });
  const cosigned = verifyNote(note, [...policy.witnesses.values()]);
  const witnesses = new Map();
  for (const [name, key] of policy.witnesses) {
    const found = cosigned.find((one) => one.key === key);
    if (found) witnesses.set(name, found.at);
  }
  const met = (name) => {
    if (policy.witnesses.has(name)) return witnesses.has(name);
    const { count, of } = policy.groups.get(name);
    return of.filter(met).length >= count;
  };
  return { checkpoint, log: signed[0].key, witnesses, enough: policy.quorum === 'none' || met(policy.quorum) };
}
