"use strict";

const assert = require("node:assert");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { after, test } = require("node:test");
const { Journal, crc32, readJournal } = require("../dist/journal.js");
const wire = require("../dist/wire.js");

const HEADER = "budgetd journal 1\n";
const folders = [];

function journal() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "bd"));
  folders.push(folder);
  return { folder, journal: new Journal(folder, (message) => assert.fail(message)) };
}

function note(key, size) {
  return { address: "127.0.0.1:1", request: wire.recordRequest({ tags: ["x".repeat(size)] }, 0.5, key, "") };
}

function content(folder) {
  const [name] = fs.readdirSync(folder).filter((one) => one.endsWith(".journal"));
  return fs.readFileSync(path.join(folder, name));
}

after(() => folders.forEach((folder) => fs.rmSync(folder, { recursive: true })));

test("the sum is zlib's", () => {
  assert.equal(crc32(Buffer.from("123456789")), 0xcbf43926);
});

test("a journal is written anew where little of it is owed", () => {
  const { folder, journal: one } = journal();
  one.owe("stays", note("stays", 10));
  for (let number = 0; number < 400; number++) {
    one.owe(String(number), note(String(number), 60_000));
    one.done(String(number));
  }
  const text = content(folder);
  assert.ok(text.length <= 16 << 20, `${text.length} bytes`);
  assert.deepEqual([...readJournal(text).keys()], ["stays"]);
  one.done("stays");
  assert.equal(content(folder).toString(), HEADER);
  one.close();
  assert.deepEqual(fs.readdirSync(folder).filter((name) => !name.endsWith(".lock")), []);
});

test("a journal that was cut short owes what stands before", () => {
  const { folder, journal: one } = journal();
  const ends = [];
  for (let number = 0; number < 3; number++) {
    one.owe(String(number), note(String(number), number));
    ends.push(content(folder).length);
  }
  const text = content(folder);
  one.close();
  for (let length = 0; length < text.length; length++) {
    const whole = ends.filter((end) => end <= length).length;
    assert.equal(readJournal(text.subarray(0, length)).size, whole, `of ${length} bytes`);
  }
  for (let place = HEADER.length; place < text.length; place++) {
    const broken = Buffer.from(text);
    broken[place] ^= 1;
    assert.ok(readJournal(broken).size <= 2, `a wrong byte ${place} is not seen`);
  }
});

test("a message after a call that failed half-way is whole", () => {
  const ping = wire.pingRequest();
  assert.throws(() => wire.filterRequest(
    { candidates: [{ id: "d" }], tags: [undefined], modelName: "", estimate: 0 }));
  assert.deepEqual(wire.pingRequest(), ping);
});

test("a message that is cut short is no message", () => {
  const asked = { candidates: [{ id: "d", model: "m", estimate: 0.25, free: true }], tags: ["", "t"], modelName: "n", estimate: 0.5 };
  const request = wire.filterRequest(asked);
  for (let length = 1; length < request.length; length++) {
    assert.throws(() => {
      const reader = new wire.Reader(request.subarray(0, length));
      while (reader.next());
    }, wire.Malformed, `${length} bytes`);
  }
});
