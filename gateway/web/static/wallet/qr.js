/* A QR code (ISO/IEC 18004) from bytes, level L, any version: written for this wallet, nothing borrowed. */
(function (W) {
  'use strict';
  const ECC = [7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30];
  const BLOCKS = [1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 24, 25];
  const MASKS = [
    (x, y) => (x + y) % 2, (x, y) => y % 2, (x) => x % 3, (x, y) => (x + y) % 3,
    (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2, (x, y) => (x * y) % 2 + (x * y) % 3,
    (x, y) => ((x * y) % 2 + (x * y) % 3) % 2, (x, y) => ((x + y) % 2 + (x * y) % 3) % 2,
  ];

  const capacity = (version) => { // codewords, data and correction together
    let modules = (16 * version + 128) * version + 64;
    if (version > 1) {
      const count = Math.floor(version / 7) + 2;
      modules -= (25 * count - 10) * count - 55;
      if (version > 6) modules -= 36;
    }
    return Math.floor(modules / 8);
  };
  const room = (version) => capacity(version) - ECC[version - 1] * BLOCKS[version - 1];

  const times = (a, b) => { // in GF(256) with 0x11d
    let product = 0;
    for (let i = 7; i >= 0; i -= 1) product = ((product << 1) ^ ((product >>> 7) * 0x11d)) ^ (((b >>> i) & 1) * a);
    return product;
  };
  const divisor = (degree) => {
    const made = new Array(degree).fill(0);
    made[degree - 1] = 1;
    let root = 1;
    for (let i = 0; i < degree; i += 1) {
      for (let j = 0; j < degree; j += 1) made[j] = times(made[j], root) ^ (j + 1 < degree ? made[j + 1] : 0);
      root = times(root, 2);
    }
    return made;
  };
  const remainder = (data, by) => {
    const rest = new Array(by.length).fill(0);
    data.forEach((one) => {
      const factor = one ^ rest.shift();
      rest.push(0);
      by.forEach((each, i) => { rest[i] ^= times(each, factor); });
    });
    return rest;
  };

  const dataOf = (bytes, version) => {
    const bits = [];
    const put = (value, count) => { for (let i = count - 1; i >= 0; i -= 1) bits.push((value >>> i) & 1); };
    put(4, 4);
    put(bytes.length, version < 10 ? 8 : 16);
    bytes.forEach((one) => put(one, 8));
    const whole = room(version) * 8;
    put(0, Math.min(4, whole - bits.length));
    put(0, (8 - bits.length % 8) % 8);
    for (let fill = 0xec; bits.length < whole; fill ^= 0xec ^ 0x11) put(fill, 8);
    const made = [];
    for (let i = 0; i < bits.length; i += 8) made.push(parseInt(bits.slice(i, i + 8).join(''), 2));
    return made;
  };

  const interleaved = (data, version) => {
    const count = BLOCKS[version - 1];
    const degree = ECC[version - 1];
    const all = capacity(version);
    const short = Math.floor(all / count) - degree;
    const longer = count - all % count; // from this block on, one more
    const by = divisor(degree);
    const blocks = [];
    for (let i = 0, at = 0; i < count; i += 1) {
      const own = data.slice(at, at + short + (i < longer ? 0 : 1));
      at += own.length;
      blocks.push({ own, check: remainder(own, by) });
    }
    const made = [];
    for (let i = 0; i <= short; i += 1) blocks.forEach((one) => { if (i < one.own.length) made.push(one.own[i]); });
    for (let i = 0; i < degree; i += 1) blocks.forEach((one) => made.push(one.check[i]));
    return made;
  };

  const alignments = (version) => {
    if (version === 1) return [];
    const count = Math.floor(version / 7) + 2;
    const step = version === 32 ? 26 : Math.ceil((version * 4 + 4) / (count * 2 - 2)) * 2;
    const made = [6];
    for (let at = version * 4 + 10; made.length < count; at -= step) made.splice(1, 0, at);
    return made;
  };

  const frame = (version) => {
    const size = version * 4 + 17;
    const dark = [];
    const fixed = [];
    for (let y = 0; y < size; y += 1) { dark.push(new Array(size).fill(0)); fixed.push(new Array(size).fill(0)); }
    const set = (x, y, on) => { if (x >= 0 && y >= 0 && x < size && y < size) { dark[y][x] = on ? 1 : 0; fixed[y][x] = 1; } };
    for (let i = 0; i < size; i += 1) { set(6, i, i % 2 === 0); set(i, 6, i % 2 === 0); }
    [[3, 3], [size - 4, 3], [3, size - 4]].forEach(([cx, cy]) => {
      for (let dy = -4; dy <= 4; dy += 1) for (let dx = -4; dx <= 4; dx += 1) {
        const far = Math.max(Math.abs(dx), Math.abs(dy));
        set(cx + dx, cy + dy, far !== 2 && far !== 4);
      }
    });
    const places = alignments(version);
    const last = places.length - 1;
    places.forEach((cx, i) => places.forEach((cy, j) => {
      if ((i === 0 && j === 0) || (i === 0 && j === last) || (i === last && j === 0)) return;
      for (let dy = -2; dy <= 2; dy += 1) for (let dx = -2; dx <= 2; dx += 1) set(cx + dx, cy + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1);
    }));
    if (version > 6) {
      let rest = version;
      for (let i = 0; i < 12; i += 1) rest = (rest << 1) ^ ((rest >>> 11) * 0x1f25);
      const bits = (version << 12) | rest;
      for (let i = 0; i < 18; i += 1) {
        const a = size - 11 + i % 3;
        const b = Math.floor(i / 3);
        set(a, b, (bits >>> i) & 1);
        set(b, a, (bits >>> i) & 1);
      }
    }
    const format = (mask) => {
      const data = (1 << 3) | mask;
      let rest = data;
      for (let i = 0; i < 10; i += 1) rest = (rest << 1) ^ ((rest >>> 9) * 0x537);
      const bits = ((data << 10) | rest) ^ 0x5412;
      const bit = (i) => (bits >>> i) & 1;
      for (let i = 0; i <= 5; i += 1) set(8, i, bit(i));
      set(8, 7, bit(6));
      set(8, 8, bit(7));
      set(7, 8, bit(8));
      for (let i = 9; i < 15; i += 1) set(14 - i, 8, bit(i));
      for (let i = 0; i < 8; i += 1) set(size - 1 - i, 8, bit(i));
      for (let i = 8; i < 15; i += 1) set(8, size - 15 + i, bit(i));
      set(8, size - 8, 1);
    };
    format(0);
    return { size, dark, fixed, format };
  };

  const runs = (line) => {
    let score = 0;
    for (let i = 0, length = 0; i < line.length; i += 1) {
      length = i && line[i] === line[i - 1] ? length + 1 : 1;
      if (length === 5) score += 3;
      else if (length > 5) score += 1;
    }
    const text = line.join('');
    ['10111010000', '00001011101'].forEach((one) => { for (let at = text.indexOf(one); at >= 0; at = text.indexOf(one, at + 1)) score += 40; });
    return score;
  };
  const penalty = (dark) => {
    const size = dark.length;
    let score = 0;
    let count = 0;
    for (let y = 0; y < size; y += 1) {
      score += runs(dark[y]) + runs(dark.map((row) => row[y]));
      for (let x = 0; x < size; x += 1) {
        count += dark[y][x];
        if (x && y && dark[y][x] === dark[y - 1][x] && dark[y][x] === dark[y][x - 1] && dark[y][x] === dark[y - 1][x - 1]) score += 3;
      }
    }
    return score + 10 * Math.floor(Math.abs(count * 20 - size * size * 10) / (size * size));
  };

  /** {version, mask, rows}: rows of 0 and 1, without the quiet zone. Throws where the text is too long. */
  W.qr = (text) => {
    const bytes = Array.from(W.bytes(text));
    let version = 1;
    while (version <= 40 && bytes.length + (version < 10 ? 2 : 3) > room(version)) version += 1;
    if (version > 40) throw new Error('long');
    const made = frame(version);
    const codewords = interleaved(dataOf(bytes, version), version);
    const size = made.size;
    let at = 0;
    for (let right = size - 1; right >= 1; right -= 2) {
      if (right === 6) right = 5;
      for (let step = 0; step < size; step += 1) {
        for (let side = 0; side < 2; side += 1) {
          const x = right - side;
          const y = ((right + 1) & 2) === 0 ? size - 1 - step : step;
          if (!made.fixed[y][x] && at < codewords.length * 8) {
            made.dark[y][x] = (codewords[at >>> 3] >>> (7 - (at & 7))) & 1;
            at += 1;
          }
        }
      }
    }
    const flip = (mask) => {
      for (let y = 0; y < size; y += 1) for (let x = 0; x < size; x += 1) if (!made.fixed[y][x] && !MASKS[mask](x, y)) made.dark[y][x] ^= 1;
    };
    let best = 0;
    let least = Infinity;
    for (let mask = 0; mask < 8; mask += 1) {
      made.format(mask);
      flip(mask);
      const score = penalty(made.dark);
      if (score < least) { least = score; best = mask; }
      flip(mask);
    }
    made.format(best);
    flip(best);
    return { version, mask: best, rows: made.dark };
  };

  /** Drawn on `canvas`, four modules of quiet around it. */
  W.drawQr = (canvas, text) => {
    const rows = W.qr(text).rows;
    const whole = rows.length + 8;
    const scale = Math.max(2, Math.floor(960 / whole));
    canvas.width = whole * scale;
    canvas.height = whole * scale;
    const pen = canvas.getContext('2d');
    pen.fillStyle = '#fff';
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.fillStyle = '#000';
    rows.forEach((row, y) => row.forEach((on, x) => { if (on) pen.fillRect((x + 4) * scale, (y + 4) * scale, scale, scale); }));
  };
}(window.W));
