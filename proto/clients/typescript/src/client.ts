// The client: filters, holds, records.

import { randomFillSync } from "crypto";
import type {
  Answer, Budgets, BudgetsWanted, Candidate, Charged, Denial, Pong, Stats,
} from "./answers";
import { ClosedError, DeniedError, InvalidError, RefusedError, statusText } from "./errors";
import { UnavailableError } from "./errors";
import { Link, NoAnswer } from "./link";
import { Outbox } from "./outbox";
import type { Options } from "./options";
import { Settings } from "./settings";
import * as wire from "./wire";

declare global {
  // As TypeScript from 5.2 on has them in a library of its own, and Node from 20 on.
  interface SymbolConstructor {
    readonly dispose: unique symbol;
    readonly asyncDispose: unique symbol;
  }
}

const STANDARD_TTL_MS = 120_000;
const GREATEST_COST = 9_000_000_000;

// Random bytes are taken many at a time: each call costs more than a key.
const random = Buffer.alloc(1000);
let randomUsed = random.length;

/** A UUIDv7: what makes a record's repetition harmless. */
export function newKey(): string {
  if (randomUsed + 10 > random.length) {
    randomFillSync(random);
    randomUsed = 0;
  }
  const tail = random.toString("hex", randomUsed, randomUsed + 10);
  randomUsed += 10;
  const time = Date.now().toString(16).padStart(12, "0");
  const variant = (parseInt(tail.charAt(3), 16) & 3 | 8).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${tail.slice(0, 3)}-${variant}${tail.slice(4, 7)}` +
    `-${tail.slice(7, 19)}`;
}

function checkedKey(key: string | undefined): string {
  if (key === undefined || key === "") return newKey();
  const size = Buffer.byteLength(key);
  if (size > 256) throw new InvalidError(`the key has ${size} bytes: 1 to 256 are allowed`);
  return key;
}

function checkedCost(cost: number): number {
  // A NaN is no amount either: every comparison with it is false.
  if (!(cost >= 0 && cost <= GREATEST_COST)) {
    throw new InvalidError(`the cost ${cost} is not an amount: 0 to ${GREATEST_COST}`);
  }
  return cost;
}

/** The server takes 256 KiB; a call's number and timeout stand before the method. */
function checkedRequest(request: Buffer): Buffer {
  const most = (256 << 10) - 32;
  if (request.length > most) {
    throw new InvalidError(
      `the request has ${request.length} bytes: at most ${most} are allowed`);
  }
  return request;
}

/** Whole milliseconds of 32 bits. */
function checkedTime(ms = 0): number {
  return Math.min(Math.max(0, Math.round(ms) || 0), 0xffff_ffff);
}

/** A filter's options, besides the candidates. */
export interface FilterOptions {
  tags?: readonly string[];
  /** The public model name that was asked for; without candidates, those configured for it count. */
  modelName?: string;
  /** US dollars that the request may cost. */
  estimate?: number;
}

/** An amount to be held, and for whom: the first of the candidates with room, or what is named. */
export interface Reservation extends Charged {
  candidates?: readonly Candidate[];
  /** US dollars; absent: budgetd's estimate. */
  amount?: number;
  /** When the hold ends by itself; absent: the server's choice. */
  ttlMs?: number;
  key?: string;
}

/** Who is charged, and the record's key; absent: the client makes one. */
export interface Recording extends Charged { key?: string }

/**
 * Budgets of one budgetd, or of several of one fleet. It connects when it is first used, and keeps
 * the process alive until `close`.
 *
 *     const budgets = new Client("127.0.0.1:7077", { onUnavailable: "open" });
 *     const answer = await budgets.filter([{ id: "gpt-4o-eu", model: "azure/gpt-4o" }]);
 *     budgets.record(0.25, { deploymentId: "gpt-4o-eu" });
 */
export class Client {
  private readonly settings: Settings;
  private readonly links: Link[];
  private readonly outbox: Outbox;
  private readonly counts: Stats = {
    owed: 0, recorded: 0, duplicates: 0, dropped: 0, retries: 0, unavailable: 0,
  };
  private preferred = 0;
  private closed = false;

  /** `server`: one address or several, `host:port` or `unix:PATH`. */
  constructor(server: string | readonly string[], options: Options) {
    this.settings = new Settings(server, options);
    this.links = this.settings.addresses.map((address) => new Link(address, this.settings));
    this.outbox = new Outbox(this.links, this.settings, this.counts);
  }

  /** Which candidates are within budget. That none is, is an answer: `message` says why. */
  async filter(candidates: readonly Candidate[] = [], options: FilterOptions = {}): Promise<Answer> {
    const request = wire.filterRequest({
      candidates, tags: options.tags ?? [], modelName: options.modelName ?? "",
      estimate: options.estimate ?? 0,
    });
    let asked;
    try {
      asked = await this.ask(request, this.settings.filterTimeoutMs, wire.filtered);
    } catch (error) {
      const unavailable = this.opened(error);
      return {
        allowed: candidates.map((_, place) => place), denials: [], denialsOmitted: 0,
        candidates: [], message: "", unavailable,
      };
    }
    const { found, message } = asked;
    return {
      allowed: found.allowed, denials: found.denials, denialsOmitted: found.omitted,
      candidates: found.candidates, message, unavailable: null,
    };
  }

  /** Holds an amount. Fails with `DeniedError` where there is no room. */
  async reserve(reservation: Reservation): Promise<Hold> {
    const { candidates, amount, ttlMs, key, ...charged } = reservation;
    const wish = { amount, ttlMs: checkedTime(ttlMs), key: checkedKey(key) };
    const request = candidates === undefined
      ? wire.reserveRequest(charged, wish)
      : wire.choosingRequest({
        candidates, tags: charged.tags ?? [], modelName: charged.modelName ?? "", estimate: 0,
      }, wish);
    let asked;
    try {
      asked = await this.ask(request, this.settings.reserveTimeoutMs,
        candidates === undefined ? wire.reserved : wire.filtered);
    } catch (error) {
      const reason = this.opened(error);
      return new Hold(this, charged, this.preferred, new wire.Filtered(), reason);
    }
    const { found, place, code, message } = asked;
    if (code === wire.Code.resourceExhausted) {
      throw new DeniedError(message, found.denials, found.omitted);
    }
    found.reserved ||= amount ?? 0;
    const choices = found.candidates.length > 0 ? found.candidates : candidates ?? [];
    const chosen = found.chosen === null ? undefined : choices[found.chosen];
    const names: Charged = chosen === undefined ? charged : {
      provider: chosen.provider ?? "", deploymentId: chosen.id ?? "", model: chosen.model ?? "",
      tags: charged.tags ?? [], modelName: charged.modelName || (chosen.modelName ?? ""),
    };
    return new Hold(this, names, place, found, null);
  }

  /**
   * Owes what a request cost, and returns the record's key. Never waits: it is sent until budgetd
   * has answered.
   */
  record(cost: number, recording: Recording): string {
    return this.owe(recording, cost, recording.key, "", this.preferred);
  }

  /** @internal */
  owe(
    charged: Charged, cost: number, key: string | undefined, reservation: string, place: number,
  ): string {
    if (this.closed) throw new ClosedError();
    const checked = checkedKey(key);
    const request = checkedRequest(
      wire.recordRequest(charged, checkedCost(cost), checked, reservation));
    this.outbox.record(checked, request, place);
    return checked;
  }

  /** @internal */
  releases(id: string, place: number, expiresAt: number): void {
    if (this.closed) return;
    const until = expiresAt || Date.now() + STANDARD_TTL_MS;
    this.outbox.release(wire.releaseRequest(id), place, until);
  }

  /** @internal */
  async extends(id: string, place: number, ttlMs: number): Promise<number> {
    const asked = await this.ask(
      wire.extendRequest(id, checkedTime(ttlMs)), this.settings.reserveTimeoutMs, wire.expiry, place);
    return asked.found;
  }

  /** Where the budgets stand: all pages together. */
  async budgets(wanted: BudgetsWanted = {}): Promise<Budgets> {
    const budgets: Budgets = {
      providers: [], deployments: [], tags: [], models: [], pools: [], total: [], reconciledAt: 0,
    };
    let token = "";
    do {
      const asked = await this.ask(wire.budgetsRequest(wanted, token), this.settings.callTimeoutMs,
        (reader) => wire.budgetsPage(reader, budgets));
      token = asked.found;
    } while (token !== "");
    return budgets;
  }

  /** Who answers, and how it is. */
  async ping(): Promise<Pong> {
    return (await this.ask(wire.pingRequest(), this.settings.callTimeoutMs, wire.pong)).found;
  }

  /** Counts of what the client has done so far. */
  get stats(): Stats { return { ...this.counts, owed: this.outbox.owed }; }

  /** Waits until no record is owed, so many milliseconds at most; how many still are. */
  flush(timeoutMs?: number): Promise<number> { return this.outbox.flush(timeoutMs); }

  /** Flushes, and ends. What is still owed (the result says how much) is lost, or in the journal. */
  async close(timeoutMs = 5000): Promise<number> {
    if (this.closed) return 0;
    const owed = await this.flush(timeoutMs);
    this.closed = true;
    this.outbox.close();
    for (const link of this.links) link.close();
    return owed;
  }

  /** For `await using`. */
  async [Symbol.asyncDispose](): Promise<void> { await this.close(); }

  private opened(error: unknown): string {
    if (!(error instanceof UnavailableError)) throw error;
    this.counts.unavailable++;
    if (!this.settings.opens) throw error;
    return error.reason;
  }

  /** An answer, and who gave it. Each address is asked once, a single one twice. */
  private async ask<Found>(
    request: Buffer, timeoutMs: number, read: (reader: wire.Reader | undefined) => Found,
    only?: number,
  ): Promise<{ found: Found; place: number; code: number; message: string }> {
    if (this.closed) throw new ClosedError();
    checkedRequest(request);
    const count = this.links.length;
    const first = only ?? this.preferred;
    let reason = "";
    for (let attempt = 0; attempt < (only === undefined ? Math.max(count, 2) : 2); attempt++) {
      const place = only ?? (first + attempt) % count;
      const link = this.links[place] as Link;
      const reply = await this.once(link, request, timeoutMs);
      if (reply instanceof NoAnswer) {
        if (this.closed) throw new ClosedError();
        // That an address is in a pause says less than why another try failed.
        if (reply.sent || reason === "") reason = reply.message;
        continue;
      }
      const { code, message } = reply;
      if (code === wire.Code.unavailable || code === wire.Code.deadlineExceeded) {
        reason = `${link.address.text} answered ${statusText(code, message)}`;
        continue;
      }
      if (only === undefined) this.preferred = place;
      if (code !== wire.Code.ok && code !== wire.Code.resourceExhausted) {
        throw new RefusedError(code, message);
      }
      try {
        return { found: read(reply.result), place, code, message };
      } catch (error) {
        if (!(error instanceof wire.Malformed)) throw error;
        reason = `${link.address.text} does not speak budget.v1: ${error.message}`;
      }
    }
    throw new UnavailableError(reason);
  }

  private async once(
    link: Link, request: Buffer, timeoutMs: number,
  ): Promise<wire.Reply | NoAnswer> {
    let connection = link.connection;
    if (connection === undefined) {
      try {
        connection = await link.connected();
      } catch (error) {
        if (error instanceof NoAnswer) return error;
        throw error;
      }
    }
    const open = connection;
    return new Promise((ended) => { open.call(request, timeoutMs, ended); });
  }
}

/**
 * An amount that is held until `settle`, `release`, or its time is over. Only its first end counts.
 * `await using hold = await budgets.reserve(…)` releases it where it was not settled.
 */
export class Hold {
  /** The reservation; "" where budgetd was not there to make one. */
  readonly id: string;
  /** The position of the candidate that it is for. */
  readonly chosen: number | null;
  /** US dollars. */
  readonly reserved: number;
  /** Of the candidates before the chosen one. */
  readonly denials: Denial[];
  /** Why budgetd was not asked; null: it was. */
  readonly unavailable: string | null;
  private expires: number;
  private ended = false;
  private key = "";

  /** @internal */
  constructor(
    private readonly client: Client, private readonly charged: Charged,
    private readonly place: number, found: wire.Filtered, unavailable: string | null,
  ) {
    this.id = found.reservation;
    this.chosen = found.chosen;
    this.reserved = found.reserved;
    this.denials = found.denials;
    this.expires = found.expiresAt;
    this.unavailable = unavailable;
  }

  /** When it ends by itself. */
  get expiresAt(): number { return this.expires; }

  /**
   * Records the cost in place of the hold, and returns the record's key. Names that are given say
   * what is charged; without any it is what was reserved.
   */
  settle(cost: number, recording: Recording = {}): string {
    if (this.ended) return this.key;
    const { key, ...names } = recording;
    const isNamed = Object.values(names).some((name) => name !== undefined && name !== "");
    this.key = this.client.owe(isNamed ? names : this.charged, cost, key, this.id, this.place);
    this.ended = true;
    return this.key;
  }

  /** Gives the amount back. Does not wait. */
  release(): void {
    if (this.ended) return;
    this.ended = true;
    if (this.id !== "") this.client.releases(this.id, this.place, this.expires);
  }

  /** Lasts so long from now at least; when it ends. */
  async extend(ttlMs: number): Promise<number> {
    if (this.id !== "" && !this.ended) {
      this.expires = await this.client.extends(this.id, this.place, ttlMs);
    }
    return this.expires;
  }

  /** For `await using`. */
  async [Symbol.asyncDispose](): Promise<void> { this.release(); }

  /** For `using`. */
  [Symbol.dispose](): void { this.release(); }
}
