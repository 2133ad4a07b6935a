/* Bytes and JSON read as strictly as the gateway reads them: one spelling for each value, no name twice. */
(function (W) {
  'use strict';
  W.why = (code) => { throw Object.assign(new Error(code), { why: code }); };

  /** base64url in the one spelling it has. */
  W.canonical = (text) => {
    if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) W.why('base64');
    const bytes = W.unb64u(text);
    if (W.b64u(bytes) !== text) W.why('base64');
    return bytes;
  };

  const count = (value) => {
    if (typeof value === 'number' && !isFinite(value)) W.why('json');
    if (typeof value === 'string' && /[\ud800-\udfff]/.test(value) && W.text(W.bytes(value)) !== value) W.why('json');
    if (value === null || typeof value !== 'object') return 0;
    if (Array.isArray(value)) return value.reduce((sum, one) => sum + count(one), 0);
    return Object.keys(value).reduce((sum, name) => {
      count(name); // for broken text in it
      return sum + 1 + count(value[name]);
    }, 0);
  };

  /** A JSON value; a name that stands twice in an object, broken text and numbers without end are refused. */
  W.strictJson = (bytes) => {
    let value;
    let names = 0;
    try {
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
      value = JSON.parse(text);
      const each = /"(?:[^"\\]|\\.)*"[ \t\r\n]*(:?)/g;
      for (let one = each.exec(text); one; one = each.exec(text)) if (one[1]) names += 1;
      if (count(value) !== names) W.why('json');
    } catch (error) {
      W.why('json');
    }
    return value;
  };

  W.strictObject = (bytes) => {
    const value = W.strictJson(bytes);
    if (!W.isObject(value)) W.why('json');
    return value;
  };

  /** A member of its own, also where it is called `__proto__`. */
  W.member = (object, name, value) => Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  W.has = (object, name) => Object.prototype.hasOwnProperty.call(object, name);

  /** A compact JWS taken apart and not yet believed. */
  W.strictJws = (compact, typ, limit) => {
    if (compact.length > limit || /[^\x00-\x7f]/.test(compact)) W.why('size');
    const parts = compact.split('.');
    if (parts.length !== 3) W.why('parts');
    const header = W.strictObject(W.canonical(parts[0]));
    if (header.alg !== 'ES256' || W.has(header, 'crit') || W.has(header, 'b64')) W.why('header');
    if (header.typ !== typ) W.why('typ');
    return { header, payload: W.canonical(parts[1]), signed: parts[0] + '.' + parts[1], signature: W.canonical(parts[2]) };
  };

  W.strictVerify = async (jws, key) => {
    const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
    if (!(await crypto.subtle.verify(algorithm, key, jws.signature, W.bytes(jws.signed)))) W.why('signature');
  };

  const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
  /** {key, jwk, thumbprint} of a public P-256 key. */
  W.strictKey = async (jwk) => {
    if (!W.isObject(jwk) || PRIVATE.some((name) => W.has(jwk, name)) || jwk.kty !== 'EC' || jwk.crv !== 'P-256') W.why('key');
    if (['sig', 'enc', undefined].indexOf(jwk.use) < 0 || ['ES256', 'ECDH-ES', undefined].indexOf(jwk.alg) < 0) W.why('key');
    if (typeof jwk.x !== 'string' || typeof jwk.y !== 'string' || jwk.x.length !== 43 || jwk.y.length !== 43) W.why('key');
    W.canonical(jwk.x);
    W.canonical(jwk.y);
    const known = { crv: 'P-256', kty: 'EC', x: jwk.x, y: jwk.y };
    let key;
    try {
      key = await W.publicKey(known);
    } catch (error) {
      W.why('key');
    }
    return { key, jwk: known, thumbprint: W.b64u(await W.sha256(JSON.stringify(known))) };
  };
}(window.W));
