"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const { InvalidError } = require("../dist/index.js");
const { Settings, checks } = require("../dist/settings.js");

function made(options) {
  return new Settings(
    "budgets.example:7077", { onUnavailable: "open", token: "secret", ...options });
}

test("who asks for encryption never sends a token in the clear", () => {
  for (const asked of [{ tlsCert: "/c.pem" }, { tlsKey: "/k.pem" }, { serverName: "budgets" }]) {
    for (const roots of [{}, { tlsCa: undefined }, { tlsCa: "" }]) {
      assert.throws(() => made({ ...asked, ...roots }), new InvalidError(
        "tls_cert, tls_key and server_name need tls_ca: give the file of the server's roots, or " +
        "leave them away"));
    }
  }
  assert.throws(() => made({ tlsCa: "" }), new InvalidError(
    "tls_ca is empty: give the file of the server's roots, or leave it away"));
  assert.equal(made({}).security, undefined);
  assert.equal(made({ tlsCert: "", tlsKey: "", serverName: "" }).security, undefined);
});

test("an empty server's name is the address's host", () => {
  const to = { text: "budgets.example:1", host: "budgets.example", port: 1, path: "" };
  for (const serverName of [undefined, ""]) {
    assert.equal(checks(to, { serverName }).servername, "budgets.example");
  }
});
