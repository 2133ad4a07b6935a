/* The verifier's page: a kit, what is shown, a verdict. No request leaves it; its own policy sees to that. */
(function (W) {
  'use strict';
  const el = W.el;
  const DAY = 86400;
  let kit = null;
  W.texts = JSON.parse(document.getElementById('words').textContent);
  const say = (code, params) => W.say(code, params);
  const at = (id) => document.getElementById(id);
  const empty = (node) => { while (node.firstChild) node.removeChild(node.firstChild); return node; };
  const now = () => Math.floor(Date.now() / 1000);
  W.now = W.now || now;

  document.querySelectorAll('[data-word]').forEach((node) => W.into(node, say(node.getAttribute('data-word'))));

  const age = (seconds) => {
    const s = Math.max(0, Math.floor(seconds));
    if (s >= 2 * DAY) return W.both('DAYS', { n: Math.floor(s / DAY) });
    if (s >= 7200) return W.both('HOURS', { n: Math.floor(s / 3600) });
    return s >= 120 ? W.both('MINUTES', { n: Math.floor(s / 60) }) : W.both('SECONDS', { n: s });
  };

  const showKit = () => {
    W.into(empty(at('kit')), [el('p', {}, say('KIT_LOADED', { issuer: kit.issuer, at: W.moment(kit.madeAt, true), age: age(now() - kit.madeAt) })),
      now() - kit.madeAt > DAY ? el('p', { class: 'weak' }, say('KIT_OLD')) : null]);
  };
  const loadKit = async (text) => {
    try {
      kit = await W.readKit(text);
      showKit();
    } catch (error) {
      W.into(empty(at('kit')), [el('p', { class: 'bad' }, say('KIT_BROKEN', { why: error.why || 'form' }))]);
    }
  };

  const reason = (check) => {
    const code = 'WHY_' + check.why;
    return W.texts[code] ? W.both(code) : [check.why, ''];
  };
  const line = (label, ...value) => [el('dt', {}, say(label)), el('dd', {}, value)];

  const status = (found) => {
    if (!found.status) return say('STATUS_NONE');
    const code = found.status.value < 3 ? 'STATUS_' + found.status.value : 'STATUS_OTHER';
    return [say(code, { value: found.status.value }), ' ', say('AS_OF', { at: W.moment(found.status.asOf, true), age: age(now() - found.status.asOf) })];
  };
  const holder = (found, code) => {
    if (!found.said) return say('HOLDER_NONE');
    return say(code && found.said.nonce === code ? 'HOLDER_CODE' : 'HOLDER_FRESH');
  };
  const claims = (found) => {
    const listed = found.type ? found.type.metadata.claims || [] : [];
    const subject = W.isObject(found.claims.credentialSubject) ? found.claims.credentialSubject : found.claims;
    const rows = listed.map((one) => [W.words(one.display, 'label'), W.at(subject, one.path)]).filter((one) => one[1] !== undefined);
    found.disclosed.filter((path) => path.length === 1 && !listed.some((one) => one.path[0] === path[0]))
      .forEach((path) => rows.push([[String(path[0]), ''], W.at(subject, path)]));
    return rows.length ? rows.map((one) => [el('dt', {}, W.pair(one[0])), el('dd', {}, W.pair(W.value(one[1])))]) : [el('dt', {}, ''), el('dd', {}, say('CLAIMS_NONE'))];
  };

  const show = (found, code) => {
    const parts = [el('p', { id: 'verdict', class: { GOOD: 'good', BAD: 'bad', UNKNOWN: 'weak' }[found.verdict], role: 'status' }, say(found.verdict))];
    found.checks.filter((one) => one.outcome === 'FAILED' || one.outcome === 'UNKNOWN').forEach((one) => parts.push(el('p', { class: 'fault' }, W.pair(reason(one)))));
    if (found.issuer) {
      const name = found.type ? W.words(found.type.metadata.display) : [found.claims.vct || 'vc+jwt', ''];
      parts.push(el('dl', {},
        line('WHAT', W.pair(name)),
        line('ISSUER', [found.issuer.organisation, found.issuer.identifier].filter(Boolean).join('，')),
        line('VALID', say('VALID_FROM_TO', { from: found.dates.starts === null ? '—' : W.moment(found.dates.starts), until: found.dates.ends === null ? '—' : W.moment(found.dates.ends, true) })),
        line('STATUS', status(found)), line('HOLDER', holder(found, code))),
      el('h3', {}, say('CLAIMS')), el('dl', { id: 'claims' }, claims(found)));
    }
    const outcomes = { PASSED: 'PASSED', FAILED: 'FAILED', SKIPPED: 'SKIPPED', UNKNOWN: 'NOT_KNOWN' };
    parts.push(el('details', {}, el('summary', {}, say('CHECKS')), el('ul', {}, found.checks.map((one) => el('li', {}, say('CHECK_' + one.name), '：', say(outcomes[one.outcome]), one.why ? ' (' + one.why + ')' : '')))));
    W.into(empty(at('out')), parts);
    W.last = found;
  };

  const check = async () => {
    const text = at('text').value.replace(/\s+/g, '');
    if (!text) return;
    if (!kit) {
      W.into(empty(at('out')), [el('p', { class: 'weak' }, say('KIT_NONE'))]);
      return;
    }
    const code = at('code').value.trim();
    show(await W.verify(text, kit, now(), { aud: kit.issuer + '/verify', nonce: code || null }), code);
  };

  const newCode = () => { at('code').value = String(100000 + crypto.getRandomValues(new Uint32Array(1))[0] % 900000); };

  /* Codes of a long presentation: `yimen-vp:<id>:<n>/<all>:<part>`; a whole one stands alone. */
  const frames = {};
  const framed = (text) => {
    const part = /^yimen-vp:([A-Za-z0-9_-]{1,16}):(\d{1,3})\/(\d{1,3}):(.+)$/.exec(text);
    if (!part) return text.indexOf('.') > 0 ? text : '';
    const all = Number(part[3]);
    if (!frames[part[1]] || frames[part[1]].length !== all) frames[part[1]] = new Array(all).fill('');
    if (part[2] >= 1 && part[2] <= all) frames[part[1]][part[2] - 1] = part[4];
    const had = frames[part[1]].filter(Boolean).length;
    W.into(empty(at('progress')), say('CAMERA_PART', { n: had, all }));
    return had === all ? frames[part[1]].join('') : '';
  };
  W.framed = framed;

  let stream = null;
  const stop = () => {
    if (stream) stream.getTracks().forEach((one) => one.stop());
    stream = null;
    at('video').hidden = true;
    W.into(empty(at('camera')), say('CAMERA'));
  };
  const scan = async () => {
    if (stream) {
      stop();
      return;
    }
    try {
      const detector = new window.BarcodeDetector({ formats: ['qr_code'] });
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
      const video = at('video');
      video.srcObject = stream;
      video.hidden = false;
      await video.play();
      W.into(empty(at('camera')), say('CAMERA_STOP'));
      const look = async () => {
        if (!stream) return;
        const seen = await detector.detect(video).catch(() => []);
        const whole = seen.map((one) => framed(one.rawValue)).find(Boolean);
        if (whole) {
          stop();
          at('text').value = whole;
          check();
        } else setTimeout(look, 120);
      };
      look();
    } catch (error) {
      stop();
      W.into(empty(at('progress')), say('CAMERA_NONE'));
    }
  };

  const opened = (id, use) => at(id).addEventListener('change', async (event) => {
    const file = event.target.files[0];
    if (file) await use(await new Response(file).text());
  });
  opened('kitInput', loadKit);
  opened('fileInput', (text) => { at('text').value = text.trim(); return check(); });
  at('check').addEventListener('click', check);
  at('newCode').addEventListener('click', newCode);
  at('camera').addEventListener('click', scan);
  if (!window.BarcodeDetector || !navigator.mediaDevices) {
    at('camera').hidden = true;
    W.into(at('progress'), say('CAMERA_NONE'));
  }
  newCode();
  const carried = at('carried').textContent.trim();
  if (carried) loadKit(carried);
}(window.W));
