/* As much of X.509 as a chain of EC certificates needs (RFC 5280): names, dates, key, alternative names, signature. */
(function (W) {
  'use strict';
  const CURVES = { '2a8648ce3d030107': ['P-256', 32], '2b81040022': ['P-384', 48] };
  const SIGNED = { '2a8648ce3d040302': 'SHA-256', '2a8648ce3d040303': 'SHA-384' };

  /** One DER element at `at`; its length must fit. */
  const element = (bytes, at) => {
    const tag = bytes[at];
    let length = bytes[at + 1];
    let start = at + 2;
    if (length > 127) {
      let count = length & 127;
      if (count < 1 || count > 3) throw new Error('der');
      length = 0;
      for (; count; count -= 1) { length = length * 256 + bytes[start]; start += 1; }
    }
    if (!(start + length <= bytes.length)) throw new Error('der');
    return { tag, value: bytes.subarray(start, start + length), whole: bytes.subarray(at, start + length), end: start + length };
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
  const time = (one) => {
    const text = W.text(one.value);
    const full = one.tag === 0x17 ? (Number(text.slice(0, 2)) < 50 ? '20' : '19') + text : text;
    const part = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full);
    if (!part) throw new Error('time');
    return Date.UTC(part[1], part[2] - 1, part[3], part[4], part[5], part[6]);
  };

  const extensions = (one, found) => {
    children(element(one.value, 0).value).forEach((each) => {
      const parts = children(each.value);
      const id = W.hex(parts[0].value);
      const inside = parts[parts.length - 1].value;
      if (id === '551d11') {
        children(element(inside, 0).value).forEach((name) => { if (name.tag === 0x82) found.dns.push(W.text(name.value).toLowerCase()); });
      } else if (id === '551d13') {
        const basic = children(element(inside, 0).value);
        found.ca = basic.length > 0 && basic[0].tag === 1 && basic[0].value[0] === 255;
      } else if (id === '551d23') {
        const key = children(element(inside, 0).value).find((part) => part.tag === 0x80);
        if (key) found.aki = W.b64u(key.value);
      }
    });
  };

  W.readCertificate = (der) => {
    const [tbs, how, signature] = children(element(der, 0).value);
    const parts = children(tbs.value);
    if (parts[0].tag === 0xa0) parts.shift();
    const dates = children(parts[3].value);
    const found = {
      der, tbs: tbs.whole, signedWith: W.hex(element(how.value, 0).value), signature: signature.value.subarray(1),
      issuer: parts[2].whole, subject: parts[4].whole, spki: parts[5].whole,
      from: time(dates[0]), until: time(dates[1]), dns: [], ca: false, aki: null,
    };
    found.curve = CURVES[W.hex(children(children(parts[5].value)[0].value)[1].value)];
    if (!found.curve) throw new Error('curve');
    parts.slice(6).forEach((one) => { if (one.tag === 0xa3) extensions(one, found); });
    return found;
  };

  const key = (certificate) => crypto.subtle.importKey(
    'spki', certificate.spki, { name: 'ECDSA', namedCurve: certificate.curve[0] }, false, ['verify']);

  const raw = (signature, size) => {
    const made = new Uint8Array(2 * size);
    children(element(signature, 0).value).forEach((one, i) => {
      let bytes = one.value;
      while (bytes.length > size && bytes[0] === 0) bytes = bytes.subarray(1);
      made.set(bytes, (i + 1) * size - bytes.length);
    });
    return made;
  };

  const signedBy = async (one, above) => {
    if (!W.same(one.issuer, above.subject) || !SIGNED[one.signedWith]) return false;
    const algorithm = { name: 'ECDSA', hash: SIGNED[one.signedWith] };
    return crypto.subtle.verify(algorithm, await key(above), raw(one.signature, above.curve[1]), one.tbs);
  };

  /** The leaf {certificate..., key} of a header's x5c, where its chain ends at one of `anchors` (DER). Throws otherwise. */
  W.checkChain = async (x5c, anchors) => {
    if (!Array.isArray(x5c) || x5c.length < 1 || x5c.length > 5) throw new Error('x5c');
    const chain = x5c.map((one) => W.readCertificate(W.unb64(one)));
    const now = W.nowMs();
    for (let i = 0; i < chain.length; i += 1) {
      const one = chain[i];
      if (now < one.from || now > one.until || (i > 0 && !one.ca)) throw new Error('certificate');
      if (i + 1 < chain.length && !(await signedBy(one, chain[i + 1]))) throw new Error('chain');
    }
    const last = chain[chain.length - 1];
    for (let i = 0; i < anchors.length; i += 1) {
      const anchor = W.readCertificate(anchors[i]);
      if (now >= anchor.from && now <= anchor.until && await signedBy(last, anchor)) {
        const leaf = chain[0];
        if (leaf.curve[0] !== 'P-256') throw new Error('curve');
        return Object.assign({ chain }, leaf, { key: await key(leaf) });
      }
    }
    throw new Error('anchor');
  };
}(window.W));
