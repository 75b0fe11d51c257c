// Drives the TypeScript client, as it is compiled: ../README.md says how.
"use strict";

const readline = require("node:readline");
const { BudgetError, Client } = require("../../typescript/dist/index.js");

const OPTIONS = {
  on_unavailable: "onUnavailable", filter_timeout_ms: "filterTimeoutMs",
  reserve_timeout_ms: "reserveTimeoutMs", record_timeout_ms: "recordTimeoutMs",
  call_timeout_ms: "callTimeoutMs", connect_timeout_ms: "connectTimeoutMs", pause_ms: "pauseMs",
  longest_pause_ms: "longestPauseMs", token_file: "tokenFile", tls_ca: "tlsCa",
  tls_cert: "tlsCert", tls_key: "tlsKey", server_name: "serverName",
};
const FIELDS = { model_name: "modelName", deployment_id: "deploymentId", ttl_ms: "ttlMs" };

function named(given, names) {
  return Object.fromEntries(Object.entries(given).map(([key, one]) => [names[key] ?? key, one]));
}

const denials = (of) => of.denials.map(
  ({ deployment, scope, name, spend, limit }) => ({ deployment, scope, name, spend, limit }));
const candidates = (given) => given?.map((one) => named(one, FIELDS));

let client;
const holds = new Map();

const operations = {
  open({ addresses, options }) {
    client = new Client(addresses, { log: () => undefined, ...named(options, OPTIONS) });
    return {};
  },
  async filter({ candidates: given = [], ...fields }) {
    const answer = await client.filter(candidates(given), named(fields, FIELDS));
    const { allowed, message, unavailable } = answer;
    return { allowed, message, unavailable, denials: denials(answer) };
  },
  async reserve({ hold, ...fields }) {
    const asked = named(fields, FIELDS);
    if (asked.candidates !== undefined) asked.candidates = candidates(asked.candidates);
    const made = await client.reserve(asked);
    holds.set(hold, made);
    return {
      id: made.id, chosen: made.chosen, reserved: made.reserved, unavailable: made.unavailable };
  },
  settle: ({ hold, cost, ...fields }) => ({ key: holds.get(hold).settle(cost, named(fields, FIELDS)) }),
  release({ hold }) {
    holds.get(hold).release();
    return {};
  },
  extend: async ({ hold, ttl_ms }) => ({ expires_at_ms: await holds.get(hold).extend(ttl_ms) }),
  record: ({ cost, ...fields }) => ({ key: client.record(cost, named(fields, FIELDS)) }),
  flush: async ({ timeout_ms }) => ({ owed: await client.flush(timeout_ms) }),
  async budgets(wanted) {
    const found = await client.budgets(wanted);
    return Object.fromEntries(
      ["providers", "deployments", "tags", "models", "pools", "total"].map((scope) => [
        scope, found[scope].map(({ name, spend, limit = null, remaining = null, period }) =>
          ({ name, spend, limit, remaining, period }))]));
  },
  async ping() {
    const { version, nodeId, ready, methods } = await client.ping();
    return { version, node_id: nodeId, ready, methods };
  },
  stats: () => client.stats,
  close: async ({ timeout_ms }) => ({ owed: await client.close(timeout_ms) }),
};

async function answer({ id, op, args }) {
  let told;
  try {
    told = { id, result: await operations[op](args) };
  } catch (error) {
    if (!(error instanceof BudgetError)) throw error;
    const { kind, message } = error;
    told = { id, error: { kind, message, ...(kind === "denied" ? { denials: denials(error) } : {}) } };
  }
  process.stdout.write(`${JSON.stringify(told)}\n`);
}

readline.createInterface({ input: process.stdin })
  .on("line", (line) => { answer(JSON.parse(line)); })
  .on("close", () => process.exit(0));
