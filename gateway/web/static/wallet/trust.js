/* Whom the wallet believes: the trust anchors of its own gateway, kept for offline, and keys by the issuer's metadata. */
(function (W) {
  'use strict';
  /** The deepest folder of this page: where the gateway's other pages are. */
  W.base = location.origin + location.pathname.replace(/\/wallet$/, '');

  /** The well-known address of an identifier: between host and path (RFC 8414 3). */
  W.wellKnown = (identifier, name) => {
    const parsed = new URL(identifier);
    return parsed.origin + '/.well-known/' + name + parsed.pathname.replace(/\/$/, '');
  };

  const fromPem = (text) => {
    const found = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/.exec(text || '');
    return found ? found[1].replace(/\s+/g, '') : '';
  };

  /** What the gateway says of its roots and keys: fetched once a page where it can be reached, else as last kept. */
  let fresh = false;
  const trusted = async () => {
    const kept = await W.get('kept', 'anchors');
    if (kept && fresh) return kept;
    try {
      const said = await W.getJson(W.base + '/credentials/trust-anchors');
      const anchors = (said.anchors || []).map((one) => ({ use: one.use, der: fromPem(one.pem) })).filter((one) => one.der);
      const known = { id: 'anchors', anchors, keys: said.keys || [] };
      if (!anchors.length) throw new W.Trouble('SERVER_ANSWER', {}, 'trust-anchors');
      await W.put('kept', known);
      fresh = true;
      return known;
    } catch (error) {
      if (kept) return kept;
      throw error;
    }
  };
  W.prepareTrust = async () => { await trusted(); };

  /** Not by a key that was stolen before this was signed. */
  const notStolen = (known, kids, iat) => known.keys.forEach((one) => {
    if (one.state === 'COMPROMISED' && kids.indexOf(one.kid) >= 0 && !(Number(iat) * 1000 < Date.parse(one.cut_off))) throw new Error('compromised');
  });

  /** The leaf certificate behind a signed text, its chain ending at an anchor for `use`: issuer | verifier. Throws. */
  W.signerOf = async (jws, use) => {
    const known = await trusted();
    const leaf = await W.checkChain(jws.header.x5c, known.anchors.filter((one) => one.use === use).map((one) => W.unb64(one.der)));
    notStolen(known, [jws.header.kid, await W.thumbprint(leaf.spki)], jws.claims.iat);
    return leaf;
  };

  /** The issuer's key: by its chain, else by `kid` in the metadata of `iss`. Throws where there is none to believe. */
  W.issuerKey = async (jws, iss) => {
    if (jws.header.x5c) return (await W.signerOf(jws, 'issuer')).key;
    if (typeof iss !== 'string' || !W.ours(iss)) throw new Error('issuer');
    const metadata = await W.getJson(W.wellKnown(iss, 'jwt-vc-issuer'));
    let jwks = metadata.jwks;
    if (!jwks && W.ours(metadata.jwks_uri)) jwks = await W.getJson(metadata.jwks_uri);
    const found = ((jwks && jwks.keys) || []).find((one) => one.kid === jws.header.kid);
    if (metadata.issuer !== iss || !found) throw new Error('issuer');
    notStolen(await trusted(), [found.kid], jws.claims.iat);
    return W.publicKey(found);
  };
}(window.W));
