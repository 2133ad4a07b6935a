/* Type metadata (SD-JWT VC, section 5): fetched, held to its integrity, kept for offline; and the card drawn from it. */
(function (W) {
  'use strict';
  const HASHES = { sha256: 'SHA-256', sha384: 'SHA-384', sha512: 'SHA-512' };

  const holds = async (text, integrity) => {
    if (!integrity) return true;
    const all = String(integrity).trim().split(/\s+/).map((one) => /^(sha256|sha384|sha512)-([A-Za-z0-9+/=]+)/.exec(one)).filter(Boolean);
    for (let i = 0; i < all.length; i += 1) {
      if (W.b64(await crypto.subtle.digest(HASHES[all[i][1]], W.bytes(text))) === all[i][2]) return true;
    }
    return false;
  };

  const fetched = async (uri, integrity) => {
    if (!W.ours(uri)) W.fail('TYPE_UNKNOWN', {}, 'uri');
    const answer = await W.http(uri, { headers: { accept: '*/*' }, cache: 'default' });
    if (!answer.ok) W.fail(answer.status >= 500 ? 'SERVER_DOWN' : 'TYPE_UNKNOWN', {}, String(answer.status));
    if (!(await holds(answer.body, integrity))) W.fail('TYPE_UNKNOWN', {}, 'integrity');
    return answer.body;
  };

  /** What a credential's type says, as the issuer vouched for it: {name, claims, simple, svg}. Raises Trouble. */
  W.typeOf = async (vct, integrity) => {
    const text = await fetched(vct, integrity);
    const metadata = JSON.parse(text);
    if (metadata.vct !== vct) W.fail('TYPE_UNKNOWN', {}, 'vct');
    const display = metadata.display || [];
    const first = display[0] || {};
    const rendering = first.rendering || {};
    let svg = '';
    const template = (rendering.svg_templates || [])[0];
    if (template) {
      try {
        svg = await fetched(template.uri, template['uri#integrity']);
      } catch (error) {
        svg = ''; // the simple form says the same
      }
    }
    return {
      name: W.words(display), description: W.words(display, 'description'), svg,
      simple: rendering.simple || {},
      claims: (metadata.claims || []).filter((one) => Array.isArray(one.path)).map((one) => ({
        path: one.path, label: W.words(one.display, 'label'), always: one.sd === 'never', svgId: one.svg_id || '',
      })),
    };
  };

  W.at = (claims, path) => path.reduce((value, key) => (value === null || typeof value !== 'object' ? undefined
    : Object.prototype.hasOwnProperty.call(value, key) ? value[key] : undefined), claims);

  const pad = (value) => (value < 10 ? '0' : '') + value;
  /** A moment in China's time, as people write it. */
  W.moment = (seconds, withTime) => {
    const at = new Date(seconds * 1000 + 8 * 3600 * 1000);
    const day = [at.getUTCFullYear() + '年' + (at.getUTCMonth() + 1) + '月' + at.getUTCDate() + '日', at.getUTCFullYear() + '-' + pad(at.getUTCMonth() + 1) + '-' + pad(at.getUTCDate())];
    const hour = pad(at.getUTCHours()) + ':' + pad(at.getUTCMinutes());
    return withTime ? day.map((one) => one + ' ' + hour) : day;
  };

  /** A claim's value in words: yes and no, dates, lists. */
  W.value = (value) => {
    if (value === true) return W.both('YES');
    if (value === false) return W.both('NO');
    if (value === null || value === undefined) return ['—', ''];
    if (typeof value === 'string') return /^\d{4}-\d\d-\d\d$/.test(value) ? [value.replace(/^(\d+)-0?(\d+)-0?(\d+)$/, '$1年$2月$3日'), value] : [value, ''];
    if (W.isObject(value) && (value.zh || value.en)) return W.words(value);
    if (Array.isArray(value)) return [value.map((one) => W.value(one)[0]).join('、'), ''];
    return [typeof value === 'object' ? JSON.stringify(value) : String(value), ''];
  };

  /** Label and value of each claim the type knows and the credential has, and what else it has, by name. */
  W.rows = (card) => card.type.claims.map((one) => ({ path: one.path, label: one.label, always: one.always, raw: W.at(card.claims, one.path) }))
    .filter((one) => one.raw !== undefined);
  W.labelOf = (card, path) => {
    const found = card.type.claims.find((one) => JSON.stringify(one.path) === JSON.stringify(path));
    return found && found.label[0] ? found.label : [path.join(' / '), ''];
  };

  const escaped = (text) => String(text).replace(/[&<>"']/g, (one) => '&#' + one.charCodeAt(0) + ';')
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '');

  /** The card as a picture of its own: nothing in an <img> runs or fetches, whatever the template says. */
  const picture = (card) => {
    const values = {};
    card.type.claims.forEach((one) => { if (one.svgId) values[one.svgId] = W.value(W.at(card.claims, one.path))[0]; });
    const drawn = card.type.svg.replace(/\{\{\s*([A-Za-z_][\w]*)\s*\}\}/g, (whole, id) => (id in values ? escaped(values[id]) : ''));
    return 'data:image/svg+xml;base64,' + W.b64(W.bytes(drawn));
  };

  const colour = (value, otherwise) => (/^#[0-9a-fA-F]{6}$/.test(value || '') ? value : otherwise);

  W.face = (card) => {
    if (card.type.svg) {
      return W.el('img', { class: 'face', alt: card.type.name[0] + '，' + W.rows(card).map((one) => one.label[0] + '：' + W.value(one.raw)[0]).join('，'), src: picture(card) });
    }
    const face = W.el('div', { class: 'face plain' },
      W.el('p', { class: 'department' }, W.pair(card.department)),
      W.el('p', { class: 'name' }, W.pair(card.type.name)));
    face.style.backgroundColor = colour(card.type.simple.background_color, '#1d3a5f');
    face.style.color = colour(card.type.simple.text_color, '#ffffff');
    return face;
  };
}(window.W));
