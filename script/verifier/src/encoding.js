// How names, numbers and bytes are written: each in one way, and anything else is refused. As ledger/encoding.py.
export class Wrong extends Error {
  /** `code` names a text of words.js; nothing else of an error is shown. */
  constructor(code, facts = {}) {
    super(code);
    this.code = code;
    this.facts = facts;
  }
}

const NUMBER = /^(?:0|[1-9][0-9]{0,18})$/;

export const utf8 = (text) => new TextEncoder().encode(text);

export function text(bytes) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Wrong('NOT_UTF8');
  }
}

export function unb64(written) {
  if (typeof written !== 'string' || written.length % 4 || !/^[A-Za-z0-9+/]*={0,2}$/.test(written)) throw new Wrong('NOT_BASE64');
  const bytes = Uint8Array.from(atob(written), (one) => one.charCodeAt(0));
  if (b64(bytes) !== written) throw new Wrong('NOT_BASE64');
  return bytes;
}

export function b64(bytes) {
  let binary = '';
  for (const one of bytes) binary += String.fromCharCode(one);
  return btoa(binary);
}

export function hashOf(written) {
  const bytes = unb64(written);
  if (bytes.length !== 32) throw new Wrong('NOT_A_HASH');
  return bytes;
}

/** A BigInt below 2^63. */
export function number(written) {
  if (!NUMBER.test(written) || BigInt(written) >= 1n << 63n) throw new Wrong('NOT_A_NUMBER');
  return BigInt(written);
}

export function isKeyName(name) {
  return name.length > 0 && name.length < 512 && !/[+\s\u0085\u001c-\u001f\u0000-\u0020]/u.test(name);
}

export function join(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const one of parts) {
    whole.set(one, at);
    at += one.length;
  }
  return whole;
}

export const same = (left, right) => left.length === right.length && left.every((one, at) => one === right[at]);

export const hex = (bytes) => Array.from(bytes, (one) => one.toString(16).padStart(2, '0')).join('');

/** JSON in one way only (RFC 8785) for what we write: ASCII names, texts, integers, true, false, null, lists, objects. */
export function canonical(value) {
  if (value === null || value === true || value === false) return String(value);
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new Wrong('NOT_CANONICAL');
    return String(value === 0 ? 0 : value);
  }
  if (typeof value === 'string') {
    if (!value.isWellFormed?.() && /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(value)) {
      throw new Wrong('NOT_CANONICAL');
    }
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const names = Object.keys(value).sort();
  // eslint-disable-next-line no-control-regex
  if (!names.every((name) => /^[\0-\x7f]*$/.test(name))) throw new Wrong('NOT_CANONICAL');
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`;
}
