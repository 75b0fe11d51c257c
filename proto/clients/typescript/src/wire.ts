// budget.v1 by hand: requests to bytes, responses from bytes. proto/budget/v1/budget.proto says what
// the numbers mean. Fields leave in the order of their numbers, defaults are left out.

import type {
  Budget, Budgets, BudgetsWanted, Candidate, Charged, Denial, Pong,
} from "./answers";

export const Method = {
  filter: 10, record: 11, budgets: 12, reserve: 13, release: 14, authenticate: 20, ping: 21,
  extend: 22,
} as const;

const METHODS = new Set<number>(Object.values(Method));

export const Code = {
  ok: 0, invalidArgument: 3, deadlineExceeded: 4, alreadyExists: 6, resourceExhausted: 8,
  outOfRange: 11, unimplemented: 12, unavailable: 14,
} as const;

export const LONGEST_RESPONSE = 1 << 20;
export const LENGTH_BYTES = 4;

const VARINT = 0;
const FIXED8 = 1;
const BYTES = 2;
const FIXED4 = 5;

/** Bytes that grow. */
export class Writer {
  private bytes: Buffer;
  private used = 0;

  constructor(size = 256) { this.bytes = Buffer.allocUnsafe(size); }

  get length(): number { return this.used; }

  /** A copy of what was written. */
  taken(): Buffer {
    const taken = Buffer.allocUnsafe(this.used);
    this.bytes.copy(taken, 0, 0, this.used);
    this.clear();
    return taken;
  }

  clear(): void { this.used = 0; }

  private room(count: number): void {
    if (this.used + count <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.bytes.length, this.used + count));
    this.bytes.copy(larger, 0, 0, this.used);
    this.bytes = larger;
  }

  varint(value: number): void {
    this.room(10);
    let left = value;
    while (left > 127) {
      this.bytes[this.used++] = (left % 128) | 128;
      left = Math.floor(left / 128);
    }
    this.bytes[this.used++] = left;
  }

  private key(number: number, kind: number): void { this.varint((number << 3) | kind); }

  number(number: number, value: number): void {
    if (value === 0) return;
    this.key(number, VARINT);
    this.varint(value);
  }

  flag(number: number, value: boolean | undefined): void { this.number(number, value ? 1 : 0); }

  /** A value that is there, 0 too. */
  double(number: number, value: number): void {
    this.key(number, FIXED8);
    this.room(8);
    this.used = this.bytes.writeDoubleLE(value, this.used);
  }

  text(number: number, value: string | undefined): void {
    if (value !== undefined && value !== "") this.entry(number, value);
  }

  /** An entry of a list, an empty one too. */
  entry(number: number, value: string): void {
    this.key(number, BYTES);
    const length = Buffer.byteLength(value);
    this.varint(length);
    this.room(length);
    this.used += this.bytes.write(value, this.used);
  }

  part(number: number, bytes: Uint8Array): void {
    this.key(number, BYTES);
    this.varint(bytes.length);
    this.raw(bytes);
  }

  raw(bytes: Uint8Array): void {
    this.room(bytes.length);
    this.bytes.set(bytes, this.used);
    this.used += bytes.length;
  }

  /** A whole frame; `request` is the method with its message. */
  frame(callId: number, timeoutMs: number, request: Uint8Array): void {
    this.room(LENGTH_BYTES);
    const at = this.used;
    this.used += LENGTH_BYTES;
    this.number(1, callId);
    this.number(2, timeoutMs);
    this.raw(request);
    this.bytes.writeUInt32BE(this.used - at - LENGTH_BYTES, at);
  }
}

// One at a time: nothing here waits.
const inner = new Writer(1024);
const message = new Writer(4096);

/** A call that failed half-way, on an argument of another type, has left something. */
function begin(): void {
  inner.clear();
  message.clear();
}

function request(method: number): Buffer {
  const body = message.taken();
  message.part(method, body);
  return message.taken();
}

function candidates(given: readonly Candidate[]): void {
  for (const one of given) {
    inner.text(1, one.id);
    inner.text(2, one.modelName);
    inner.text(3, one.model);
    inner.text(4, one.provider);
    if (one.estimate !== undefined) inner.double(5, one.estimate);
    inner.flag(6, one.free);
    message.part(1, inner.taken());
  }
}

export interface Question {
  candidates: readonly Candidate[];
  tags: readonly string[];
  modelName: string;
  estimate: number;
}

function question(asked: Question): void {
  begin();
  candidates(asked.candidates);
  for (const tag of asked.tags) message.entry(2, tag);
  message.text(3, asked.modelName);
  if (asked.estimate !== 0) message.double(4, asked.estimate);
}

export function filterRequest(asked: Question): Buffer {
  question(asked);
  return request(Method.filter);
}

export interface Wish { amount: number | undefined; ttlMs: number; key: string }

/** A FilterDeployments that also holds the amount for the candidate that it chooses. */
export function choosingRequest(asked: Question, wish: Wish): Buffer {
  question(asked);
  message.flag(5, true);
  if (wish.amount !== undefined) message.double(6, wish.amount);
  message.number(7, wish.ttlMs);
  message.text(8, wish.key);
  return request(Method.filter);
}

function names(charged: Charged): void {
  begin();
  message.text(1, charged.provider);
  message.text(2, charged.deploymentId);
  message.text(3, charged.model);
  for (const tag of charged.tags ?? []) message.entry(4, tag);
}

export function reserveRequest(charged: Charged, wish: Wish): Buffer {
  names(charged);
  if (wish.amount) message.double(5, wish.amount);
  message.number(6, wish.ttlMs);
  message.text(7, wish.key);
  message.text(8, charged.modelName);
  return request(Method.reserve);
}

export function recordRequest(
  charged: Charged, cost: number, key: string, reservation: string,
): Buffer {
  names(charged);
  message.double(5, cost);
  message.text(6, key);
  message.text(7, reservation);
  message.text(8, charged.modelName);
  return request(Method.record);
}

export function releaseRequest(reservation: string): Buffer {
  begin();
  message.text(1, reservation);
  return request(Method.release);
}

export function extendRequest(reservation: string, ttlMs: number): Buffer {
  begin();
  message.text(1, reservation);
  message.number(2, ttlMs);
  return request(Method.extend);
}

export function budgetsRequest(wanted: BudgetsWanted, pageToken: string): Buffer {
  begin();
  message.flag(2, wanted.deployments);
  message.flag(3, wanted.tags);
  message.text(5, pageToken);
  message.flag(8, wanted.models);
  message.flag(9, wanted.pools);
  return request(Method.budgets);
}

export function authenticateRequest(token: string): Buffer {
  begin();
  message.text(1, token);
  return request(Method.authenticate);
}

export function pingRequest(): Buffer {
  begin();
  return request(Method.ping);
}

/** The bytes are no message of budget.v1. */
export class Malformed extends Error {}

/** Walks over the fields of one message. */
export class Reader {
  number = 0;
  private kind = 0;
  private value = 0;
  private start = 0;

  constructor(
    private readonly bytes: Buffer, private at = 0, private readonly end = bytes.length,
  ) {}

  next(): boolean {
    if (this.at >= this.end) return false;
    const key = this.varint();
    this.number = Math.floor(key / 8);
    this.kind = key % 8;
    this.start = this.at;
    switch (this.kind) {
      case VARINT: this.value = this.varint(); return true;
      case FIXED8: this.at += 8; break;
      case FIXED4: this.at += 4; break;
      case BYTES: {
        const length = this.varint();
        this.start = this.at;
        this.at += length;
        break;
      }
      default: throw new Malformed(`a field of kind ${this.kind}`);
    }
    if (this.at > this.end) throw new Malformed("a field that is longer than its message");
    return true;
  }

  private varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 10; count++) {
      const byte = this.at < this.end ? this.bytes[this.at++] : undefined;
      if (byte === undefined) throw new Malformed("a message that ends within a field");
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    throw new Malformed("a number of more than 10 bytes");
  }

  private must(kind: number, words: string): void {
    if (this.kind !== kind) throw new Malformed(words);
  }

  count(): number {
    this.must(VARINT, "bytes in the place of a number");
    return this.value;
  }

  signed(): number {
    const value = this.count();
    return value >= 2 ** 63 ? value - 2 ** 64 : value;
  }

  flag(): boolean { return this.count() !== 0; }

  amount(): number {
    this.must(FIXED8, "an amount that is not a double");
    return this.bytes.readDoubleLE(this.start);
  }

  text(): string {
    this.must(BYTES, "a number in the place of bytes");
    return this.bytes.toString("utf8", this.start, this.at);
  }

  inside(): Reader {
    this.must(BYTES, "a number in the place of bytes");
    return new Reader(this.bytes, this.start, this.at);
  }

  /** A list of numbers, packed or one by one. */
  counts(into: number[]): void {
    if (this.kind === VARINT) {
      into.push(this.value);
      return;
    }
    const list = this.inside();
    while (list.at < list.end) into.push(list.varint());
  }
}

/** A Response: how the call ended, and its result, not read yet. */
export class Reply {
  callId = 0;
  code = 0;
  message = "";
  method = 0;
  result: Reader | undefined;

  constructor(reader: Reader) {
    while (reader.next()) {
      if (reader.number === 1) this.callId = reader.count();
      else if (reader.number === 2) this.status(reader.inside());
      else if (METHODS.has(reader.number)) {
        this.method = reader.number;
        this.result = reader.inside();
      }
    }
  }

  private status(reader: Reader): void {
    while (reader.next()) {
      if (reader.number === 1) this.code = reader.count();
      else if (reader.number === 2) this.message = reader.text();
    }
  }
}

/** FilterDeploymentsResponse, and what ReserveSpendResponse has of it. */
export class Filtered {
  allowed: number[] = [];
  denials: Denial[] = [];
  candidates: Candidate[] = [];
  omitted = 0;
  chosen: number | null = null;
  reservation = "";
  expiresAt = 0;
  reserved = 0;
}

export function filtered(reader: Reader | undefined): Filtered {
  const found = new Filtered();
  while (reader?.next()) {
    switch (reader.number) {
      case 1: reader.counts(found.allowed); break;
      case 2: found.denials.push(denial(reader.inside())); break;
      case 3: found.candidates.push(candidate(reader.inside())); break;
      case 4: found.omitted = reader.count(); break;
      case 5: found.chosen = reader.count(); break;
      case 6: found.reservation = reader.text(); break;
      case 7: found.expiresAt = reader.signed(); break;
      case 8: found.reserved = reader.amount(); break;
    }
  }
  return found;
}

export function reserved(reader: Reader | undefined): Filtered {
  const found = new Filtered();
  while (reader?.next()) {
    switch (reader.number) {
      case 1: found.reservation = reader.text(); break;
      case 2: found.expiresAt = reader.signed(); break;
      case 3: found.denials.push(denial(reader.inside())); break;
      case 4: found.omitted = reader.count(); break;
      case 5: found.reserved = reader.amount(); break;
    }
  }
  return found;
}

function denial(reader: Reader): Denial {
  const found: Denial = {
    deployment: 0, scope: 0, name: "", spend: 0, limit: 0, withheld: 0, reserved: 0, mode: 0,
    window: "",
  };
  while (reader.next()) {
    switch (reader.number) {
      case 1: found.deployment = reader.count(); break;
      case 2: found.scope = reader.count(); break;
      case 3: found.name = reader.text(); break;
      case 4: found.spend = reader.amount(); break;
      case 5: found.limit = reader.amount(); break;
      case 6: found.resetsAt = reader.signed(); break;
      case 7: found.withheld = reader.amount(); break;
      case 8: found.mode = reader.count(); break;
      case 9: found.window = reader.text(); break;
      case 10: found.reserved = reader.amount(); break;
    }
  }
  return found;
}

function candidate(reader: Reader): Candidate {
  const found: Candidate = {};
  while (reader.next()) {
    switch (reader.number) {
      case 1: found.id = reader.text(); break;
      case 2: found.modelName = reader.text(); break;
      case 3: found.model = reader.text(); break;
      case 4: found.provider = reader.text(); break;
      case 5: found.estimate = reader.amount(); break;
      case 6: found.free = reader.flag(); break;
    }
  }
  return found;
}

/** Whether RecordSpendResponse says that the key was seen before. */
export function duplicate(reader: Reader | undefined): boolean {
  let found = false;
  while (reader?.next()) if (reader.number === 1) found = reader.flag();
  return found;
}

/** Of ExtendReservationResponse. */
export function expiry(reader: Reader | undefined): number {
  let found = 0;
  while (reader?.next()) if (reader.number === 1) found = reader.signed();
  return found;
}

/** Adds a page of budgets; gives the next one's token, "" after the last. */
export function budgetsPage(reader: Reader | undefined, into: Budgets): string {
  const lists = new Map([
    [1, into.providers], [2, into.deployments], [3, into.tags], [6, into.models], [7, into.pools],
    [8, into.total],
  ]);
  let next = "";
  while (reader?.next()) {
    const list = lists.get(reader.number);
    if (list !== undefined) list.push(budget(reader.inside()));
    else if (reader.number === 4) into.reconciledAt = reader.signed();
    else if (reader.number === 5) next = reader.text();
  }
  return next;
}

function budget(reader: Reader): Budget {
  const found: Budget = {
    name: "", period: "", spend: 0, reserved: 0, exhausted: false, mode: 0,
  };
  while (reader.next()) {
    switch (reader.number) {
      case 1: found.name = reader.text(); break;
      case 2: found.limit = reader.amount(); break;
      case 3: found.period = reader.text(); break;
      case 4: found.spend = reader.amount(); break;
      case 5: found.remaining = reader.amount(); break;
      case 6: found.resetsAt = reader.signed(); break;
      case 7: found.reserved = reader.amount(); break;
      case 8: found.exhausted = reader.flag(); break;
      case 9: found.mode = reader.count(); break;
    }
  }
  return found;
}

export function pong(reader: Reader | undefined): Pong {
  const found: Pong = {
    version: "", nodeId: "", ready: false, durability: "", storeState: "", notReadyReason: "",
    idempotencyHorizon: 0, methods: [], role: "",
  };
  while (reader?.next()) {
    switch (reader.number) {
      case 1: found.version = reader.text(); break;
      case 2: found.nodeId = reader.text(); break;
      case 3: found.ready = reader.flag(); break;
      case 4: found.durability = reader.text(); break;
      case 5: found.storeState = reader.text(); break;
      case 6: found.notReadyReason = reader.text(); break;
      case 7: found.idempotencyHorizon = reader.signed(); break;
      case 8: found.methods.push(reader.text()); break;
      case 9: found.role = reader.text(); break;
    }
  }
  return found;
}

/** The idempotency key of a Request that records; undefined: it is none. */
export function recordKey(bytes: Buffer): string | undefined {
  const reader = new Reader(bytes);
  while (reader.next()) {
    if (reader.number !== Method.record) continue;
    const record = reader.inside();
    while (record.next()) if (record.number === 6) return record.text();
  }
  return undefined;
}
