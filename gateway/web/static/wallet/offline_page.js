/* Showing without a network: a presentation that stands alone, as QR codes, as a file, as text. */
(function (W) {
  'use strict';
  const el = W.el;
  const FRAME = 480; // characters of a code, so that a cheap camera reads it from a cheap screen
  const FRESH = 300; // seconds

  /** For whom it is bound: whoever opens the verifier page of this gateway. `code`: what that page shows, or none. */
  W.presentOffline = (card, paths, code) => W.present(W.nextCopy(card), paths, W.base + '/verify', code || 'offline-' + W.random(16));

  /** Codes that together are the text: `yimen-vp:<id>:<n>/<all>:<part>`, or the text itself where one holds it. */
  W.frames = (text) => {
    if (text.length <= FRAME) return [text];
    const all = Math.ceil(text.length / FRAME);
    const id = W.random(3);
    const made = [];
    for (let i = 0; i < all; i += 1) made.push('yimen-vp:' + id + ':' + (i + 1) + '/' + all + ':' + text.slice(i * FRAME, (i + 1) * FRAME));
    return made;
  };

  const codes = (text) => {
    const frames = W.frames(text);
    const canvas = el('canvas', { class: 'qr', role: 'img', 'aria-label': 'QR' });
    const count = el('p', { class: 'small', id: 'frame' });
    let at = 0;
    const draw = () => {
      W.drawQr(canvas, frames[at]);
      while (count.firstChild) count.removeChild(count.firstChild);
      W.into(count, W.say('OFFLINE_FRAME', { n: at + 1, all: frames.length }));
    };
    const next = () => { at = (at + 1) % frames.length; draw(); };
    draw();
    if (frames.length < 2) return [canvas];
    const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
    if (!still) {
      const timer = setInterval(() => { if (canvas.isConnected === false || !document.body.contains(canvas)) clearInterval(timer); else next(); }, 500);
    }
    return [canvas, count, still ? W.button('NEXT', next, 'second') : el('p', { class: 'small' }, W.say('OFFLINE_FRAMES'))];
  };

  const shown = (card, text, labels) => {
    const area = el('textarea', { id: 'presentation', readonly: true, rows: '4', 'aria-label': W.both('TEXT').join(' ') });
    area.value = text;
    const copy = async (event) => {
      const button = event.currentTarget;
      area.select();
      try {
        if (navigator.clipboard) await navigator.clipboard.writeText(text);
        else document.execCommand('copy');
      } catch (error) {
        document.execCommand('copy');
      }
      while (button.firstChild) button.removeChild(button.firstChild);
      W.into(button, W.say('COPIED'));
    };
    const file = URL.createObjectURL(new Blob([text], { type: 'application/dc+sd-jwt' }));
    const state = el('div', { 'aria-live': 'polite' }, W.pill(card));
    W.page(W.say('OFFLINE', { name: card.type.name }), state, W.why(card),
      el('div', { class: 'codes' }, codes(text)),
      el('p', {}, W.say('THEY_SEE'), '：', W.pair(W.listed(labels))),
      el('p', { class: 'small' }, W.say('OFFLINE_UNTIL', { at: W.moment(W.now(), true) })), el('p', {}, W.say('OFFLINE_WHY')),
      el('p', { class: 'row' }, W.button('COPY', copy, 'second'), el('a', { class: 'button second', download: 'presentation.txt', href: file, id: 'save' }, W.say('SAVE'))),
      el('details', {}, el('summary', {}, W.say('TEXT')), area), W.button('BACK', W.toCards, 'second'));
    const until = W.now() + FRESH;
    W.watch(async () => {
      if (W.now() > until) {
        W.watch(null);
        W.offlinePage(card.id);
        return;
      }
      await W.lookUp(card);
      state.replaceChild(W.pill(card), state.firstChild);
      if (W.stateOf(card) === 'REVOKED' || W.stateOf(card) === 'SUSPENDED') {
        W.watch(null);
        W.go('card=' + card.id); // it says so in large letters
      }
    });
  };

  W.offlinePage = async (id) => {
    const card = await W.get('cards', id);
    if (!card || !W.usable(card)) {
      if (card) W.go('card=' + id);
      else W.toCards();
      return;
    }
    const place = W.live();
    const boxes = W.rows(card).filter((row) => card.hidden.indexOf(row.path[0]) >= 0).map((row, i) => ({ row, box: el('input', { type: 'checkbox', id: 'claim' + i }) }));
    const make = (event) => {
      event.preventDefault();
      W.busy('WORKING', place, async () => {
        const ticked = boxes.filter((one) => one.box.checked).map((one) => one.row);
        const copy = W.nextCopy(card);
        const text = await W.presentOffline(card, ticked.map((row) => row.path), document.getElementById('check_code').value.trim());
        await W.usedCopy(card, copy);
        await W.note('OFFLINE', W.both('PLACE_OFFLINE'), ['', ''], [[card.type.name[0] + (ticked.length ? '（' + ticked.map((row) => row.label[0]).join('、') + '）' : '')]]);
        shown(card, text, ticked.concat(W.rows(card).filter((row) => card.hidden.indexOf(row.path[0]) < 0)).map((row) => row.label));
      });
    };
    W.watch(null);
    const always = W.rows(card).filter((row) => card.hidden.indexOf(row.path[0]) < 0);
    W.page(W.say('OFFLINE', { name: card.type.name }), W.pill(card), el('p', {}, W.say('OFFLINE_WHY')),
      el('form', { onsubmit: make },
        boxes.length ? el('fieldset', {}, el('legend', {}, W.say('OFFLINE_TICK')), boxes.map((one) => el('label', { class: 'tick', for: one.box.id }, one.box,
          el('span', { class: 'label' }, W.pair(one.row.label)), el('span', { class: 'worth' }, W.pair(W.value(one.row.raw)))))) : null,
        always.length ? el('ul', { class: 'claims' }, always.map((row) => el('li', {}, el('span', { class: 'label' }, W.pair(row.label)),
          el('span', { class: 'worth' }, W.pair(W.value(row.raw))), el('span', { class: 'tag' }, W.say('ALWAYS'))))) : null,
        el('label', { for: 'check_code' }, W.say('OFFLINE_CODE')), el('input', { id: 'check_code', type: 'text', inputmode: 'numeric', autocomplete: 'off', maxlength: '40' }),
        el('button', { type: 'submit', id: 'make' }, W.say('OFFLINE_MAKE'))),
      place, W.button('BACK', W.toCards, 'second'));
  };
}(window.W));
