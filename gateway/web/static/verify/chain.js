/* What a certificate may be used for, beside what the wallet's reader of chains looks at (RFC 5280 4.2). */
(function (W) {
  'use strict';
  const SIGNS_DOCUMENTS = '2b06010505070324'; // id-kp-documentSigning (RFC 9336)
  const UNDERSTOOD = ['551d13', '551d0f', '551d25', '551d11', '551d0e', '551d23'];

  const element = (bytes, at) => {
    let size = bytes[at + 1];
    let from = at + 2;
    if (size & 128) {
      const more = size & 127;
      size = 0;
      for (let i = 0; i < more; i += 1) size = size * 256 + bytes[from + i];
      from += more;
    }
    if (!(from + size <= bytes.length)) W.why('certificate');
    return { tag: bytes[at], value: bytes.subarray(from, from + size), end: from + size };
  };
  const children = (bytes) => {
    const found = [];
    for (let at = 0; at < bytes.length;) {
      const one = element(bytes, at);
      found.push(one);
      at = one.end;
    }
    return found;
  };

  const extensions = (certificate) => {
    const found = {};
    const parts = children(element(certificate.tbs, 0).value);
    const block = parts.find((one) => one.tag === 0xa3);
    if (!block) return found;
    children(element(block.value, 0).value).forEach((each) => {
      const members = children(each.value);
      const id = W.hex(members[0].value);
      if (members.length === 3 && members[1].value[0] === 255 && UNDERSTOOD.indexOf(id) < 0) W.why('critical');
      found[id] = members[members.length - 1].value;
    });
    return found;
  };

  const named = (extension) => {
    const names = { hosts: [], uris: [] };
    if (!extension) return names;
    children(element(extension, 0).value).forEach((one) => {
      if (one.tag === 0x82) names.hosts.push(W.text(one.value).toLowerCase());
      if (one.tag === 0x86) names.uris.push(W.text(one.value));
      if (one.tag === 0x87 && one.value.length === 4) names.hosts.push(Array.from(one.value).join('.'));
    });
    return names;
  };

  const organisation = (subject) => {
    let found = '';
    let common = '';
    children(element(subject, 0).value).forEach((set) => children(set.value).forEach((pair) => {
      const [id, value] = children(pair.value);
      if (W.hex(id.value) === '55040a') found = W.text(value.value);
      if (W.hex(id.value) === '550403') common = W.text(value.value);
    }));
    return found || common;
  };

  /** The leaf of an issuer: {key, thumbprint, organisation, speaksFor(uri)}. Throws with `why`. */
  W.issuerChain = async (x5c, anchors, nowMs) => {
    let leaf;
    if (!Array.isArray(x5c) || x5c.length < 1 || x5c.length > 5 || x5c.some((one) => typeof one !== 'string')) W.why('form');
    const before = W.nowMs;
    try {
      if (x5c.some((one) => anchors.some((anchor) => W.b64(anchor) === one))) W.why('anchor_in_chain');
      W.nowMs = () => nowMs; // the moment asked about, not the clock's
      leaf = await W.checkChain(x5c, anchors);
      leaf.chain.forEach((one, i) => {
        const held = extensions(one);
        const use = held['551d0f'] ? element(held['551d0f'], 0).value[1] : null;
        if (use !== null && !(use & (i ? 4 : 128))) W.why('key_usage');
        const purposes = held['551d25'] ? children(element(held['551d25'], 0).value).map((each) => W.hex(each.value)) : null;
        if (i === 0 && purposes && purposes.indexOf(SIGNS_DOCUMENTS) < 0 && purposes.indexOf('551d2500') < 0) W.why('purpose');
        if (i === 0 && one.ca) W.why('ca');
      });
    } catch (error) {
      W.why(error.why || 'chain');
    } finally {
      W.nowMs = before;
    }
    const names = named(extensions(leaf)['551d11']);
    const point = leaf.spki.subarray(leaf.spki.length - 64);
    const jwk = { kty: 'EC', crv: 'P-256', x: W.b64u(point.subarray(0, 32)), y: W.b64u(point.subarray(32)) };
    const read = await W.strictKey(jwk);
    const speaksFor = (uri) => {
      try {
        return names.uris.indexOf(uri) >= 0 || names.hosts.indexOf(new URL(uri).hostname.toLowerCase()) >= 0;
      } catch (error) {
        return false;
      }
    };
    return { key: read.key, thumbprint: read.thumbprint, organisation: organisation(leaf.subject), speaksFor };
  };
}(window.W));
