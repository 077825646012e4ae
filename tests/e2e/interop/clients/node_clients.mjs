// SPDX-License-Identifier: Apache-2.0
// Node's own clients inside: node_clients.mjs WHICH KEYED-HOST WEBSOCKET-HOST. Prints "ok" as its last line. What it asks for: python_clients.py.
import assert from 'node:assert';
import http2 from 'node:http2';
import https from 'node:https';
import { createRequire } from 'node:module';
import { once } from 'node:events';
import { setDefaultAutoSelectFamilyAttemptTimeout } from 'node:net';

setDefaultAutoSelectFamilyAttemptTimeout?.(10000); // slow machines
const [which, host, webSocketHost] = process.argv.slice(2);
const origin = 'https://' + host;
const pieces = Array.from({ length: 16 }, (_, n) => Buffer.alloc(65536, 65 + n));
const whole = Buffer.concat(pieces);

/** The same calls for anything that looks like fetch. */
async function fetches(fetch, more = {}) {
  assert.ok('authorization' in await (await fetch(origin + '/hello', more)).json());
  const body = new ReadableStream({ start(out) { pieces.forEach(piece => out.enqueue(piece)); out.close(); } });
  const echoed = await fetch(origin + '/echo', { method: 'POST', body, duplex: 'half', ...more });
  assert.ok(whole.equals(Buffer.from(await echoed.arrayBuffer())));
  assert.equal(await (await fetch(origin + '/packed', more)).text(), 'packed '.repeat(5000));
  const many = await Promise.all(Array.from({ length: 10 }, () => fetch(origin + '/large', more).then(reply => reply.arrayBuffer())));
  assert.ok(many.every(reply => reply.byteLength === 4 << 20));
  let events = 0;
  const decoder = new TextDecoder();
  for await (const piece of (await fetch(origin + '/events', more)).body) {
    events += decoder.decode(piece).split('data: ').length - 1;
    if (events < 3) await (await fetch(origin + '/next', more)).text();
  }
  assert.equal(events, 3);
}

async function talk(socket) {
  const messages = [];
  let wake = () => {};
  socket.binaryType = 'arraybuffer';
  socket.onmessage = event => { messages.push(event.data); wake(); };
  const next = async () => { while (!messages.length) await new Promise(done => { wake = done; }); return messages.shift(); };
  const agreed = await next();
  socket.send('y'.repeat(300000));
  assert.equal((await next()).length, 300000);
  socket.send(new Uint8Array([0, 1, 255]));
  assert.deepEqual([...new Uint8Array(await next())], [0, 1, 255]);
  socket.close();
  return String(agreed);
}

const clients = {
  async fetch() { await fetches(globalThis.fetch); },
  async https() {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    for (let n = 0; n < 3; ++n) {
      const request = https.request(origin + '/echo', { method: 'POST', agent, headers: { expect: '100-continue' } });
      await Promise.all([once(request, 'continue'), request.flushHeaders()]);
      request.end(whole);
      const [reply] = await once(request, 'response');
      const parts = [];
      for await (const part of reply) parts.push(part);
      assert.ok(whole.equals(Buffer.concat(parts)));
    }
    agent.destroy();
  },
  async http2() {
    const session = http2.connect(origin);
    await once(session, 'connect');
    assert.equal(session.socket.alpnProtocol, 'h2');
    const call = async (headers, body) => {
      const stream = session.request(headers);
      stream.end(body);
      const parts = [];
      for await (const part of stream) parts.push(part);
      return Buffer.concat(parts);
    };
    assert.ok('authorization' in JSON.parse(await call({ ':path': '/hello' })));
    const all = await Promise.all(Array.from({ length: 20 }, () => call({ ':path': '/echo', ':method': 'POST' }, whole)));
    assert.ok(all.every(reply => whole.equals(reply)));
    session.close();
  },
  async websocket() { assert.match(await talk(new WebSocket('wss://' + webSocketHost + '/')), /permessage-deflate|none/); },
  async ws() {
    const { WebSocket: Other } = createRequire(process.cwd() + '/')('ws');
    assert.match(await talk(new Other('wss://' + webSocketHost + '/', { perMessageDeflate: { threshold: 0 } })), /permessage-deflate/);
  },
  async undici() {
    const undici = createRequire(process.cwd() + '/')('undici');
    for (const allowH2 of [false, true]) {
      const dispatcher = new undici.Agent({ allowH2 });
      await fetches(undici.fetch, { dispatcher });
      await dispatcher.close();
    }
  },
};
await clients[which]();
console.log('ok', process.version);
