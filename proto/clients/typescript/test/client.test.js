"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const { once } = require("node:events");
const { Worker } = require("node:worker_threads");
const { Client } = require("../dist/index.js");

// Answers each filter at once, in a thread of its own: candidate 0 is allowed.
const SERVER = `
const net = require("node:net");
const { parentPort } = require("node:worker_threads");
const server = net.createServer((socket) => {
  socket.on("data", (data) => {
    for (let at = 0; at < data.length; at += 4 + data.readUInt32BE(at)) {
      socket.write(Buffer.from([0, 0, 0, 7, 8, data[at + 5], 0x52, 3, 0x0a, 1, 0]));
    }
  });
});
server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
`;

function stall(milliseconds) {
  const end = Date.now() + milliseconds;
  while (Date.now() < end);
}

test("a loop that stands still uses up nothing of a deadline", async () => {
  const server = new Worker(SERVER, { eval: true });
  const [port] = await once(server, "message");
  const budgets = new Client(`127.0.0.1:${port}`, { onUnavailable: "closed", filterTimeoutMs: 50 });
  try {
    assert.deepEqual((await budgets.filter([{ id: "d" }])).allowed, [0]);
    // Before the write, and after it while the answer waits to be read.
    const before = budgets.filter([{ id: "d" }]);
    stall(200);
    assert.deepEqual((await before).allowed, [0]);
    const after = budgets.filter([{ id: "d" }]);
    setImmediate(() => stall(200));
    assert.deepEqual((await after).allowed, [0]);
  } finally {
    await budgets.close();
    await server.terminate();
  }
});

test("a hold ends with its block", async () => {
  const budgets = new Client("unix:/nowhere", { onUnavailable: "open", log: () => undefined });
  const hold = await budgets.reserve({ candidates: [{ id: "d" }], amount: 0.5 });
  assert.match(hold.unavailable, /^no connection to unix:\/nowhere: /);
  await hold[Symbol.asyncDispose]();
  assert.equal(hold.settle(1), "");
  assert.equal(budgets.stats.owed, 0);
  assert.equal(await budgets.close(0), 0);
});
