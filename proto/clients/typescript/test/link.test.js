"use strict";

const assert = require("node:assert");
const { EventEmitter } = require("node:events");
const { test } = require("node:test");
const { Connection } = require("../dist/link.js");
const wire = require("../dist/wire.js");

function answer(id) {
  const number = [];
  for (; id >= 128; id = id >> 7) number.push(id & 127 | 128);
  return Buffer.from([0, 0, 0, number.length + 2, 8, ...number, id]);
}

test("calls that have ended leave nothing behind while others wait", async () => {
  const rounds = 2_000, each = 100;
  let asked = 0;
  let answered = 0;
  const socket = Object.assign(new EventEmitter(), {
    write: () => true, destroy() { this.emit("close"); },
  });
  const connection = new Connection("a:1", socket, () => undefined);
  const request = wire.pingRequest();
  for (let round = 0; round < rounds; round++) {
    for (let call = 0; call < each; call++) connection.call(request, 60_000, () => answered++);
    await new Promise((written) => setImmediate(written));
    // Two wait at any time.
    for (; asked < (round + 1) * each - 2; asked++) socket.emit("data", answer(asked + 1));
  }
  assert.equal(answered, rounds * each - 2);
  const { length } = connection.deadlines.get(60_000).ids;
  connection.close();
  assert.equal(answered, rounds * each);
  assert.ok(length < 10_000, `${length} numbers of calls are kept, and 2 calls wait`);
});
