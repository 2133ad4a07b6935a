/* The wallet's ground: bytes, JSON, HTTP, elements, words. ES2017 at most: an old WebView (Chrome 60) runs it as it stands. */
(function () {
  'use strict';
  const W = {};
  window.W = W;

  /** What went wrong, as a code of the catalogue: the text says what to do next. `detail` is the standard's code. */
  W.Trouble = class Trouble extends Error {
    constructor(code, params, detail) {
      super(code);
      this.code = code;
      this.params = params || {};
      this.detail = detail || '';
    }
  };
  W.fail = (code, params, detail) => { throw new W.Trouble(code, params, detail); };

  const utf8 = new TextEncoder();
  W.bytes = (text) => utf8.encode(text);
  W.text = (bytes) => new TextDecoder('utf-8', { fatal: true }).decode(bytes);

  W.b64 = (bytes) => {
    const all = new Uint8Array(bytes);
    let text = '';
    for (let at = 0; at < all.length; at += 8192) text += String.fromCharCode.apply(null, all.subarray(at, at + 8192));
    return btoa(text);
  };
  W.unb64 = (text) => {
    const raw = atob(text);
    const bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i += 1) bytes[i] = raw.charCodeAt(i);
    return bytes;
  };
  W.b64u = (bytes) => W.b64(bytes).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  W.unb64u = (text) => {
    if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new Error('base64url');
    return W.unb64(text.replace(/-/g, '+').replace(/_/g, '/'));
  };
  W.hex = (bytes) => Array.from(new Uint8Array(bytes), (one) => (one < 16 ? '0' : '') + one.toString(16)).join('');
  W.concat = (...parts) => {
    const whole = new Uint8Array(parts.reduce((sum, one) => sum + one.length, 0));
    let at = 0;
    parts.forEach((one) => { whole.set(one, at); at += one.length; });
    return whole;
  };
  W.same = (a, b) => a.length === b.length && a.every((one, i) => one === b[i]);
  W.random = (count) => W.b64u(crypto.getRandomValues(new Uint8Array(count)));
  W.sha256 = async (data) => new Uint8Array(await crypto.subtle.digest('SHA-256', typeof data === 'string' ? W.bytes(data) : data));
  W.isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

  /* A phone's clock may be wrong by hours; proofs carry the server's time, learnt from answers no cache has held. */
  let skew = 0;
  W.nowMs = () => Date.now() + skew;
  W.now = () => Math.floor(W.nowMs() / 1000);

  /** One request. `form` or `json` makes it a POST. Gives {status, headers, body, json()}; Trouble where nobody answered. */
  W.http = async (url, asked) => {
    const given = asked || {};
    const headers = Object.assign({ accept: 'application/json', 'accept-language': '*' }, given.headers); // both languages are shown
    const init = { method: given.method || 'GET', headers, credentials: 'omit', redirect: 'error', cache: given.cache || 'no-store' };
    if (given.form) {
      init.method = 'POST';
      headers['content-type'] = 'application/x-www-form-urlencoded';
      init.body = Object.keys(given.form).map((name) => encodeURIComponent(name) + '=' + encodeURIComponent(given.form[name])).join('&');
    } else if (given.json) {
      init.method = 'POST';
      headers['content-type'] = 'application/json';
      init.body = JSON.stringify(given.json);
    }
    const timer = new Promise((_, no) => setTimeout(() => no(new Error('late')), given.timeoutMs || 30000));
    let answer;
    let body;
    try {
      answer = await Promise.race([fetch(url, init), timer]);
      body = await Promise.race([answer.text(), timer]);
    } catch (error) {
      throw new W.Trouble('NO_CONNECTION');
    }
    const date = Date.parse(answer.headers.get('date') || '');
    if (init.method === 'POST' && date) skew = Math.abs(date - Date.now()) > 5000 ? date - Date.now() : 0;
    return {
      status: answer.status,
      ok: answer.ok,
      headers: answer.headers,
      body,
      json: () => {
        try {
          const value = JSON.parse(body);
          return W.isObject(value) ? value : {};
        } catch (error) {
          return {};
        }
      },
    };
  };

  /** Only our own origin is spoken to; the page's policy holds the browser to it as well. */
  W.ours = (url) => {
    try {
      const parsed = new URL(url);
      return parsed.origin === location.origin && !parsed.username && !parsed.hash;
    } catch (error) {
      return false;
    }
  };

  /** `GET` of JSON that must be there. */
  W.getJson = async (url, code) => {
    const answer = await W.http(url);
    if (answer.status >= 500) W.fail('SERVER_DOWN');
    if (!answer.ok) W.fail(code || 'SERVER_ANSWER', {}, String(answer.status));
    return answer.json();
  };

  /** An element; children are elements or plain text, never markup. */
  W.el = (tag, given, ...children) => {
    const made = document.createElement(tag);
    const attributes = given || {};
    Object.keys(attributes).forEach((name) => {
      const value = attributes[name];
      if (value === null || value === undefined || value === false) return;
      if (name.indexOf('on') === 0) made.addEventListener(name.slice(2), value);
      else made.setAttribute(name, value === true ? '' : value);
    });
    W.into(made, children);
    return made;
  };
  W.into = (parent, children) => {
    children.forEach((one) => {
      if (one === null || one === undefined || one === false) return;
      if (Array.isArray(one)) W.into(parent, one);
      else parent.appendChild(typeof one === 'object' ? one : document.createTextNode(String(one)));
    });
    return parent;
  };

  const fill = (text, params) => text.replace(/\{(\w+)\}/g, (whole, name) => (name in params ? String(params[name]) : whole));

  /** Both languages of a text, Chinese first. A pair [zh, en] or {zh, en} given as a parameter is taken by language. */
  W.both = (code, params) => {
    const found = W.texts[code] || W.texts.SERVER_ANSWER;
    return found.map((text, i) => {
      const own = {};
      Object.keys(params || {}).forEach((name) => {
        const value = params[name];
        own[name] = Array.isArray(value) ? value[i] : value;
      });
      return fill(text, own);
    });
  };
  W.pair = (both) => {
    const zh = W.el('span', { lang: 'zh-CN' }, both[0]);
    if (!both[1] || both[1] === both[0]) return [zh];
    return [zh, ' ', W.el('span', { lang: 'en', class: 'en' }, both[1])];
  };
  W.say = (code, params) => W.pair(W.both(code, params));

  /** Several [zh, en] as one. */
  W.listed = (all) => [all.map((one) => one[0]).join('、'), all.map((one) => one[1] || one[0]).join(', ')];

  /** [zh, en] from whatever a server says: a text, {zh, en}, or a list of {locale|lang, name|label}. */
  W.words = (value, member) => {
    if (typeof value === 'string') return [value, ''];
    if (Array.isArray(value)) {
      const of = (language) => value.find((one) => W.isObject(one) && String(one.locale || one.lang || '').toLowerCase().indexOf(language) === 0);
      const pick = (one) => (one && typeof one[member || 'name'] === 'string' ? one[member || 'name'] : '');
      const zh = pick(of('zh'));
      const en = pick(of('en'));
      return [zh || en || pick(value[0]), zh ? en : ''];
    }
    if (W.isObject(value)) {
      const zh = typeof value.zh === 'string' ? value.zh : '';
      const en = typeof value.en === 'string' ? value.en : '';
      return [zh || en, zh ? en : ''];
    }
    return ['', ''];
  };
}());
