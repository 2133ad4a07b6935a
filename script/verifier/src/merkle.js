// RFC 6962, section 2.1.1: whether a path leads from a leaf to a root. As ledger/merkle.py.
import { sha256 } from '@noble/hashes/sha2.js';
import { Wrong, join, same } from './encoding.js';

export const leafHash = (entry) => sha256(join(Uint8Array.of(0), entry));
const nodeHash = (left, right) => sha256(join(Uint8Array.of(1), left, right));
export const EMPTY_ROOT = sha256(new Uint8Array(0));

/** `index` and `size` are BigInts. Throws Wrong for any path that does not lead to `root`. */
export function verifyInclusion(leaf, index, size, path, root) {
  if (index < 0n || index >= size) throw new Wrong('PATH_WRONG');
  let [first, last, found] = [index, size - 1n, leaf];
  for (const one of path) {
    if (last === 0n) throw new Wrong('PATH_WRONG');
    if (first & 1n || first === last) {
      found = nodeHash(one, found);
      while (first && !(first & 1n)) [first, last] = [first >> 1n, last >> 1n];
    } else {
      found = nodeHash(found, one);
    }
    [first, last] = [first >> 1n, last >> 1n];
  }
  if (last !== 0n || !same(found, root)) throw new Wrong('PATH_WRONG');
}
