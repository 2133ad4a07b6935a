/* SD-JWT VC (RFC 9901): taken apart strictly, put together for one showing, bound by the holder's key. */
(function (W) {
  'use strict';
  const NEVER = ['iss', 'nbf', 'exp', 'cnf', 'vct', 'vct#integrity', 'aka_vcts', 'status'];

  /** {jws, claims, parts}: claims with every disclosure in place; parts: {text, path, value} of each. Throws where a rule is broken. */
  W.readSdJwt = async (text) => {
    const pieces = text.split('~');
    if (pieces.length < 2 || pieces[pieces.length - 1] !== '') throw new Error('form');
    const jws = W.readJws(pieces[0], 'dc+sd-jwt');
    const held = new Map();
    for (let i = 1; i < pieces.length - 1; i += 1) {
      const digest = W.b64u(await W.sha256(pieces[i]));
      if (held.has(digest)) throw new Error('doubled');
      held.set(digest, { text: pieces[i], array: JSON.parse(W.text(W.unb64u(pieces[i]))) });
    }
    const seen = new Set();
    const parts = [];
    const take = (digest, count) => {
      if (typeof digest !== 'string' || seen.has(digest)) throw new Error('digest');
      seen.add(digest);
      const one = held.get(digest);
      if (one && (!Array.isArray(one.array) || one.array.length !== count)) throw new Error('disclosure');
      return one;
    };
    const unpack = (value, path) => {
      if (path.length > 16) throw new Error('deep');
      if (Array.isArray(value)) {
        const found = [];
        value.forEach((one) => {
          if (!W.isObject(one) || !('...' in one)) {
            found.push(unpack(one, path.concat(found.length)));
            return;
          }
          const disclosed = take(one['...'], 2);
          if (!disclosed) return;
          const own = path.concat(found.length);
          parts.push({ text: disclosed.text, path: own, value: disclosed.array[1] });
          found.push(unpack(disclosed.array[1], own));
        });
        return found;
      }
      if (!W.isObject(value)) return value;
      const found = {};
      Object.keys(value).forEach((name) => {
        if (name !== '_sd' && !(name === '_sd_alg' && !path.length)) found[name] = unpack(value[name], path.concat(name));
      });
      (value._sd || []).forEach((digest) => {
        const disclosed = take(digest, 3);
        if (!disclosed) return;
        const name = disclosed.array[1];
        if (typeof name !== 'string' || name in found || name === '_sd' || name === '...' || (!path.length && NEVER.indexOf(name) >= 0)) throw new Error('claim');
        const own = path.concat(name);
        parts.push({ text: disclosed.text, path: own, value: disclosed.array[2] });
        found[name] = unpack(disclosed.array[2], own);
      });
      return found;
    };
    if (jws.claims._sd_alg !== undefined && jws.claims._sd_alg !== 'sha-256') throw new Error('sd_alg');
    const claims = unpack(jws.claims, []);
    if (parts.length !== held.size) throw new Error('orphan');
    return { jws, claims, parts };
  };

  /** What arrived is what was promised: signature, type, dates, and our key in it. Throws otherwise. */
  W.checkCredential = async (text, vct, jwk) => {
    const read = await W.readSdJwt(text);
    const claims = read.claims;
    await W.checkJws(read.jws, await W.issuerKey(read.jws, claims.iss));
    const bound = claims.cnf && claims.cnf.jwk;
    if (!bound || bound.x !== jwk.x || bound.y !== jwk.y) throw new Error('cnf');
    if (vct && claims.vct !== vct) throw new Error('vct');
    if (claims.exp !== undefined && !(claims.exp > W.now())) throw new Error('exp');
    return read;
  };

  const starts = (long, short) => short.every((one, i) => one === long[i]);

  /** The disclosures without which `paths` cannot be seen. */
  W.needed = (parts, paths) => parts.filter((part) => paths.some((path) => starts(path, part.path) || starts(part.path, path)));

  /** `copy` showing only `paths`, signed for `aud` and `nonce` with the holder's key. */
  W.present = async (copy, paths, aud, nonce, more) => {
    const read = await W.readSdJwt(copy.text);
    const shown = [copy.text.split('~')[0]].concat(W.needed(read.parts, paths).map((part) => part.text)).join('~') + '~';
    const claims = { iat: W.now(), aud, nonce, sd_hash: W.b64u(await W.sha256(shown)) };
    return shown + await W.sign(copy.key, { typ: 'kb+jwt' }, Object.assign(claims, more));
  };

  /** The copy shown least often: so that two askers cannot compare notes as long as there are fresh ones. */
  W.nextCopy = (card) => card.copies.reduce((least, one) => (one.used < least.used ? one : least));
  W.usedCopy = async (card, copy) => {
    copy.used += 1;
    await W.put('cards', card);
  };
}(window.W));
