/* Token Status List (draft-ietf-oauth-status-list): fetched, checked, unpacked, looked up. Index 0 is in the lowest bits. */
(function (W) {
  'use strict';
  const LARGEST = 4 * 1024 * 1024; // bytes a list may unpack to
  const LENGTHS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
  const LENGTH_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
  const FAR = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
  const FAR_BITS = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
  const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

  const tree = (lengths) => {
    const count = new Uint16Array(16);
    lengths.forEach((one) => { count[one] += 1; });
    count[0] = 0;
    const offsets = new Uint16Array(16);
    for (let i = 1; i < 16; i += 1) offsets[i] = offsets[i - 1] + count[i - 1];
    const symbols = new Uint16Array(lengths.length);
    lengths.forEach((one, symbol) => { if (one) { symbols[offsets[one]] = symbol; offsets[one] += 1; } });
    return { count, symbols };
  };

  /** Zlib (RFC 1950, 1951), since an old WebView has no DecompressionStream. */
  W.inflate = (bytes, most) => {
    if (bytes.length < 6 || (bytes[0] & 15) !== 8 || ((bytes[0] << 8) | bytes[1]) % 31 || bytes[1] & 32) throw new Error('zlib');
    let out = new Uint8Array(65536);
    let size = 0;
    let at = 2;
    let held = 0;
    let had = 0;
    const bits = (count) => {
      while (had < count) {
        if (at >= bytes.length) throw new Error('zlib');
        held |= bytes[at] << had;
        at += 1;
        had += 8;
      }
      const value = held & ((1 << count) - 1);
      held >>>= count;
      had -= count;
      return value;
    };
    const symbol = (of) => {
      let code = 0;
      let first = 0;
      let index = 0;
      for (let length = 1; length < 16; length += 1) {
        code |= bits(1);
        const here = of.count[length];
        if (code - here < first) return of.symbols[index + (code - first)];
        index += here;
        first = (first + here) << 1;
        code <<= 1;
      }
      throw new Error('zlib');
    };
    const put = (value) => {
      if (size >= most) throw new Error('zlib');
      if (size === out.length) {
        const wider = new Uint8Array(out.length * 2);
        wider.set(out);
        out = wider;
      }
      out[size] = value;
      size += 1;
    };
    const block = (literals, distances) => {
      for (;;) {
        const one = symbol(literals);
        if (one === 256) return;
        if (one < 256) {
          put(one);
        } else {
          if (one > 285) throw new Error('zlib');
          const length = LENGTHS[one - 257] + bits(LENGTH_BITS[one - 257]);
          const code = symbol(distances);
          if (code > 29) throw new Error('zlib');
          const far = FAR[code] + bits(FAR_BITS[code]);
          if (far > size) throw new Error('zlib');
          for (let i = 0; i < length; i += 1) put(out[size - far]);
        }
      }
    };
    const own = () => {
      const literals = bits(5) + 257;
      const distances = bits(5) + 1;
      const given = bits(4) + 4;
      const lengths = new Array(19).fill(0);
      for (let i = 0; i < given; i += 1) lengths[ORDER[i]] = bits(3);
      const codes = tree(lengths);
      const all = [];
      while (all.length < literals + distances) {
        const one = symbol(codes);
        if (one < 16) all.push(one);
        else {
          const repeated = one === 16 ? all[all.length - 1] : 0;
          const times = one === 16 ? 3 + bits(2) : one === 17 ? 3 + bits(3) : 11 + bits(7);
          for (let i = 0; i < times; i += 1) all.push(repeated);
        }
      }
      block(tree(all.slice(0, literals)), tree(all.slice(literals, literals + distances)));
    };
    const fixed = [];
    for (let i = 0; i < 288; i += 1) fixed.push(i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8);
    for (let last = 0; !last;) {
      last = bits(1);
      const kind = bits(2);
      if (kind === 0) {
        held = 0;
        had = 0;
        const length = bytes[at] | (bytes[at + 1] << 8);
        at += 4;
        if (!(at + length <= bytes.length)) throw new Error('zlib');
        for (let i = 0; i < length; i += 1, at += 1) put(bytes[at]);
      } else if (kind === 1) block(tree(fixed), tree(new Array(30).fill(5)));
      else if (kind === 2) own();
      else throw new Error('zlib');
    }
    return out.subarray(0, size);
  };

  const list = async (uri) => {
    if (!W.ours(uri)) throw new Error('uri');
    const answer = await W.http(uri, { headers: { accept: 'application/statuslist+jwt' }, cache: 'no-cache' });
    if (!answer.ok) throw new Error('status');
    const jws = W.readJws(answer.body.trim(), 'statuslist+jwt');
    await W.checkJws(jws, await W.issuerKey(jws, W.base));
    const claims = jws.claims;
    const listed = claims.status_list;
    if (claims.sub !== uri || !(claims.iat <= W.now() + 60) || (claims.exp !== undefined && !(claims.exp > W.now()))) throw new Error('status');
    if (!W.isObject(listed) || [1, 2, 4, 8].indexOf(listed.bits) < 0) throw new Error('status');
    const packed = W.inflate(W.unb64u(listed.lst), LARGEST);
    return { iat: claims.iat, at: (index) => {
      const place = Math.floor(index * listed.bits / 8);
      if (!(index >= 0) || place >= packed.length) throw new Error('index');
      return (packed[place] >> (index * listed.bits % 8)) & ((1 << listed.bits) - 1);
    } };
  };

  /** Looks a card's copies up and keeps what it learnt with the age of it. True where something changed; never throws. */
  W.lookUp = async (card) => {
    const before = card.status.value;
    try {
      const lists = {};
      let value = 'VALID';
      let iat = 0;
      for (let i = 0; i < card.places.length; i += 1) {
        const place = card.places[i];
        lists[place.uri] = lists[place.uri] || await list(place.uri);
        const found = lists[place.uri].at(place.idx);
        iat = lists[place.uri].iat;
        if (found === 1) value = 'REVOKED';
        else if (found !== 0 && value !== 'REVOKED') value = 'SUSPENDED';
      }
      card.status = { value: card.places.length ? value : 'UNKNOWN', at: card.places.length ? W.now() : 0, iat, failed: false };
      const stored = await W.get('cards', card.id);
      if (stored) {
        stored.status = card.status;
        await W.put('cards', stored);
      }
    } catch (error) {
      card.status = Object.assign({}, card.status, { failed: true });
    }
    return card.status.value !== before;
  };
}(window.W));
