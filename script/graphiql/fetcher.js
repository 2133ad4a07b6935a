import { parse } from 'graphql';
import { LoggedOut } from './officer.js';

// One POST for a query or mutation, one event stream for a subscription; never a query string.
const JSON_ACCEPT = 'application/graphql-response+json, application/json;q=0.9';

export function fetcher(officer, loggedOut) {
  return async (params) => {
    const subscription = isSubscription(params.query, params.operationName);
    const headers = {
      'content-type': 'application/json',
      accept: subscription ? 'text/event-stream' : JSON_ACCEPT,
    };
    let response;
    try {
      response = await officer.send(location.pathname, { method: 'POST', headers, body: JSON.stringify(params) });
    } catch (error) {
      if (!(error instanceof LoggedOut)) throw error;
      loggedOut();
      return { errors: [{ message: '登录已结束，请重新登录。 The login has ended; log in again.' }] };
    }
    if (subscription && response.ok) return events(response.body);
    return response.json();
  };
}

// GraphiQL hands its own syntax tree along, but that one lags behind fast typing.
function isSubscription(query, name) {
  let document;
  try {
    document = parse(query, { noLocation: true });
  } catch {
    return false; // the gateway says what is wrong with it
  }
  const operations = document.definitions.filter((one) => one.kind === 'OperationDefinition');
  const chosen = name ? operations.find((one) => one.name?.value === name) : operations[0];
  return chosen?.operation === 'subscription';
}

async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let held = '';
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      held += value;
      const blocks = held.split('\n\n');
      held = blocks.pop();
      for (const block of blocks) {
        const lines = block.split('\n');
        if (lines.includes('event: complete')) return;
        const data = lines.filter((line) => line.startsWith('data: ')).map((line) => line.slice(6)).join('\n');
        if (data) yield JSON.parse(data);
      }
    }
  } finally {
    await reader.cancel();
  }
}
