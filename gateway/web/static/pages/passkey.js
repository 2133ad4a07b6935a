// A passkey is shown or made (WebAuthn); the answer travels in the form beside it. Nothing is kept here.
'use strict';

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (one) => one.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
const known = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

async function made(options) {
  const publicKey = { ...options, challenge: bytes(options.challenge), excludeCredentials: known(options.excludeCredentials) };
  publicKey.user = { ...options.user, id: bytes(options.user.id) };
  const { id, rawId, type, response } = await navigator.credentials.create({ publicKey });
  return {
    id, rawId: text(rawId), type,
    response: { clientDataJSON: text(response.clientDataJSON), attestationObject: text(response.attestationObject) },
  };
}

async function shown(options) {
  const publicKey = { ...options, challenge: bytes(options.challenge), allowCredentials: known(options.allowCredentials) };
  const { id, rawId, type, response } = await navigator.credentials.get({ publicKey });
  return {
    id, rawId: text(rawId), type,
    response: {
      clientDataJSON: text(response.clientDataJSON), authenticatorData: text(response.authenticatorData),
      signature: text(response.signature), userHandle: response.userHandle ? text(response.userHandle) : null,
    },
  };
}

for (const form of document.querySelectorAll('form[data-passkey]')) {
  form.querySelector('button').addEventListener('click', async () => {
    const options = JSON.parse(form.dataset.options);
    const note = form.querySelector('.notice');
    note.hidden = true;
    try {
      form.elements.response.value = JSON.stringify(await (form.dataset.passkey === 'create' ? made(options) : shown(options)));
      form.submit();
    } catch {
      note.hidden = false; // cancelled, or no such key on this machine: the browser has said which
    }
  });
}
