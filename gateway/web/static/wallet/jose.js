/* JWS, JWE and keys with WebCrypto (RFC 7515, 7516, 7518): ES256 and ECDH-ES on P-256, nothing else. */
(function (W) {
  'use strict';
  const EC = { name: 'ECDSA', namedCurve: 'P-256' };
  const ES256 = { name: 'ECDSA', hash: 'SHA-256' };
  const publicPart = (jwk) => ({ kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y });

  /** {key, jwk}: a private key no script can read out, and its public part. */
  W.newKey = async () => {
    const pair = await crypto.subtle.generateKey(EC, false, ['sign', 'verify']);
    return { key: pair.privateKey, jwk: publicPart(await crypto.subtle.exportKey('jwk', pair.publicKey)) };
  };

  W.sign = async (key, header, claims) => {
    const signed = W.b64u(W.bytes(JSON.stringify(Object.assign({ alg: 'ES256' }, header)))) + '.' + W.b64u(W.bytes(JSON.stringify(claims)));
    return signed + '.' + W.b64u(await crypto.subtle.sign(ES256, key, W.bytes(signed)));
  };

  /** A compact JWS taken apart, not yet believed. Throws for anything but ES256 without `crit`. */
  W.readJws = (compact, typ) => {
    const parts = String(compact).split('.');
    if (parts.length !== 3) throw new Error('jws');
    const header = JSON.parse(W.text(W.unb64u(parts[0])));
    const claims = JSON.parse(W.text(W.unb64u(parts[1])));
    if (!W.isObject(header) || !W.isObject(claims) || header.alg !== 'ES256' || 'crit' in header || 'b64' in header) throw new Error('header');
    if (typ && header.typ !== typ) throw new Error('typ');
    return { header, claims, signed: parts[0] + '.' + parts[1], signature: W.unb64u(parts[2]) };
  };

  W.publicKey = (jwk) => crypto.subtle.importKey('jwk', publicPart(jwk), EC, false, ['verify']);

  W.checkJws = async (jws, key) => {
    if (!(await crypto.subtle.verify(ES256, key, jws.signature, W.bytes(jws.signed)))) throw new Error('signature');
  };

  /** RFC 7638, of a key in a certificate. */
  W.thumbprint = async (spki) => {
    const jwk = await crypto.subtle.exportKey('jwk', await crypto.subtle.importKey('spki', spki, EC, true, ['verify']));
    return W.b64u(await W.sha256(JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y })));
  };

  /** A proof of possession for one request (RFC 9449). */
  W.dpop = async (holder, method, url, nonce, token) => {
    const claims = { jti: W.random(16), htm: method, htu: url.split(/[?#]/)[0], iat: W.now() };
    if (nonce) claims.nonce = nonce;
    if (token) claims.ath = W.b64u(await W.sha256(token));
    return W.sign(holder.key, { typ: 'dpop+jwt', jwk: holder.jwk }, claims);
  };

  const number = (value) => new Uint8Array([value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]);
  const sized = (bytes) => W.concat(number(bytes.length), bytes);

  /** A compact JWE by ECDH-ES for a P-256 key; Concat KDF of RFC 7518 4.6.2, one round. */
  W.encrypt = async (payload, jwk, enc) => {
    const bits = { A128GCM: 128, A256GCM: 256 }[enc];
    if (!bits || jwk.kty !== 'EC' || jwk.crv !== 'P-256') throw new Error('jwe');
    const curve = { name: 'ECDH', namedCurve: 'P-256' };
    const theirs = await crypto.subtle.importKey('jwk', publicPart(jwk), curve, false, []);
    const ours = await crypto.subtle.generateKey(curve, true, ['deriveBits']);
    const shared = new Uint8Array(await crypto.subtle.deriveBits({ name: 'ECDH', public: theirs }, ours.privateKey, 256));
    const none = new Uint8Array(0);
    const info = W.concat(sized(W.bytes(enc)), sized(none), sized(none), number(bits));
    const secret = (await W.sha256(W.concat(number(1), shared, info))).slice(0, bits / 8);
    const header = { alg: 'ECDH-ES', enc, epk: publicPart(await crypto.subtle.exportKey('jwk', ours.publicKey)) };
    if (jwk.kid) header.kid = jwk.kid;
    const head = W.b64u(W.bytes(JSON.stringify(header)));
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const key = await crypto.subtle.importKey('raw', secret, 'AES-GCM', false, ['encrypt']);
    const sealed = new Uint8Array(await crypto.subtle.encrypt(
      { name: 'AES-GCM', iv, additionalData: W.bytes(head), tagLength: 128 }, key, W.bytes(JSON.stringify(payload))));
    const cut = sealed.length - 16;
    return [head, '', W.b64u(iv), W.b64u(sealed.slice(0, cut)), W.b64u(sealed.slice(cut))].join('.');
  };
}(window.W));
