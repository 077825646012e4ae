// SPDX-License-Identifier: Apache-2.0
// @grpc/grpc-js inside, in a folder where npm has installed it: grpc_client.js HOST[:PORT [plain]]. Prints "ok" as its last line.
const assert = require('node:assert');
const grpc = require(require.resolve('@grpc/grpc-js', { paths: [process.cwd()] }));
const raw = { requestSerialize: x => x, requestDeserialize: x => x, responseSerialize: x => x, responseDeserialize: x => x };
const Service = grpc.makeClientConstructor({
  Echo: { path: '/t.T/Echo', requestStream: false, responseStream: false, ...raw },
  Count: { path: '/t.T/Count', requestStream: false, responseStream: true, ...raw },
  Chat: { path: '/t.T/Chat', requestStream: true, responseStream: true, ...raw },
  Fails: { path: '/t.T/Fails', requestStream: false, responseStream: false, ...raw },
}, 't.T');
const client = new Service(process.argv[2], process.argv[3] === 'plain' ? grpc.credentials.createInsecure() : grpc.credentials.createSsl());
const until = () => ({ deadline: Date.now() + 60000 });

(async () => {
  const large = Buffer.alloc(2000000, 'z');
  const trailers = await new Promise((done, failed) => {
    let end;
    const call = client.Echo(large, new grpc.Metadata(), until(), (error, reply) => error ? failed(error) : (assert.ok(large.equals(reply)), call.on('status', () => {}), setImmediate(() => done(end))));
    call.on('status', status => { end = status.metadata.get('x-trailer'); });
  });
  assert.deepEqual(trailers, ['end']);
  let counted = 0;
  for await (const piece of client.Count(Buffer.from('500'), new grpc.Metadata(), until())) assert.equal(String(piece), String(counted++));
  assert.equal(counted, 500);
  // Each message waits for the answer to the one before.
  const chat = client.Chat(new grpc.Metadata(), until());
  let turn = 0;
  chat.write(Buffer.from('0'));
  for await (const piece of chat) {
    assert.equal(String(piece), 're:' + turn);
    if (++turn < 20) chat.write(Buffer.from(String(turn))); else chat.end();
  }
  assert.equal(turn, 20);
  const error = await new Promise(done => client.Fails(Buffer.alloc(0), new grpc.Metadata(), until(), done));
  assert.equal(error.code, grpc.status.FAILED_PRECONDITION);
  client.close();
  console.log('ok');
})();
