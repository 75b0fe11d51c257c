// Records and releases on their way: queued, sent in order, sent again until they are answered.

import type { Stats } from "./answers";
import { OutboxFullError, statusText, systemText } from "./errors";
import { Journal } from "./journal";
import type { Connection, Link } from "./link";
import { NoAnswer } from "./link";
import type { Settings } from "./settings";
import { Pause } from "./settings";
import type { Reply } from "./wire";
import { Code, duplicate } from "./wire";

const MOST_SENT = 1024;
const ORPHANS_MS = 60_000;
// A record that ends so is not sent again: another try would be answered in the same way.
const FINAL = new Set<number>([
  Code.ok, Code.alreadyExists, Code.invalidArgument, Code.outOfRange,
]);

/** One record, or one release (without a key: it is not in the journal, and may be forgotten). */
interface Owed {
  key: string;
  request: Buffer;
  lane: Lane;
  /** Whether the lane's address may have it: then it goes nowhere else. */
  sent: boolean;
  /** When a release is of no use any more. */
  until: number;
}

/** First in, first out. */
class Queue {
  private items: (Owed | undefined)[] = [];
  private head = 0;

  get length(): number { return this.items.length - this.head; }

  push(owed: Owed): void { this.items.push(owed); }

  shift(): Owed | undefined {
    const first = this.items[this.head];
    this.items[this.head++] = undefined;
    if (this.head > 1024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return first;
  }
}

/** Everything that goes to one address. */
class Lane {
  waiting = new Queue();
  sent = 0;
  readonly pause: Pause;

  constructor(readonly link: Link, settings: Settings) {
    this.pause = new Pause(settings.pauseMs, settings.longestPauseMs);
  }
}

export class Outbox {
  owed = 0;
  private readonly lanes: Lane[];
  private readonly journal: Journal | undefined;
  private called = false;
  private timer: Timer | undefined;
  private orphans: Timer | undefined;
  private adopting: Promise<void> | undefined;
  private idle: (() => void)[] = [];
  private closed = false;

  constructor(
    links: Link[], private readonly settings: Settings, private readonly stats: Stats,
  ) {
    this.lanes = links.map((link) => new Lane(link, settings));
    for (const link of links) link.onEnd = (): void => { this.wake(); };
    if (settings.journal !== undefined) {
      this.journal = new Journal(settings.journal, (message) => { settings.log(message); });
      this.adopt();
    }
  }

  /** A record, best sent to the address at `place`. */
  record(key: string, request: Buffer, place: number): void {
    if (this.owed >= this.settings.outbox) throw new OutboxFullError(this.settings.outbox);
    const owed = { key, request, lane: this.lanes[place] as Lane, sent: false, until: 0 };
    this.note(owed);
    this.take(owed);
  }

  /** A release: only that address knows the hold, and after `until` nobody does. */
  release(request: Buffer, place: number, until: number): void {
    this.take({ key: "", request, lane: this.lanes[place] as Lane, sent: false, until });
  }

  private note(owed: Owed): void {
    this.journal?.owe(owed.key, { address: owed.lane.link.address.text, request: owed.request });
  }

  private take(owed: Owed): void {
    this.owed++;
    owed.lane.waiting.push(owed);
    this.wake();
  }

  private wake(): void {
    if (this.called || this.closed) return;
    this.called = true;
    queueMicrotask(() => { this.pump(); });
  }

  /** Sends what may be sent now, and sees to it that it is called for the rest. */
  private pump(): void {
    this.called = false;
    if (this.closed) return;
    const now = performance.now();
    let soonest = Infinity;
    for (const lane of this.lanes) {
      if (lane.waiting.length === 0) continue;
      const until = Math.max(lane.pause.until, now + lane.link.pausing(now));
      if (until > now) {
        this.move(lane, now);
        if (lane.waiting.length > 0) soonest = Math.min(soonest, until);
        continue;
      }
      const connection = lane.link.connection;
      if (connection === undefined) {
        // The link pauses where it fails, and says why to whoever asks.
        lane.link.connected().catch(() => undefined).finally(() => { this.wake(); });
        continue;
      }
      while (lane.waiting.length > 0 && lane.sent < MOST_SENT) {
        this.send(lane.waiting.shift() as Owed, connection);
      }
    }
    if (soonest === Infinity) return;
    if (this.timer !== undefined) clearTimeout(this.timer);
    this.timer = setTimeout(() => { this.wake(); }, Math.max(1, Math.ceil(soonest - now)));
  }

  /** Lets go to a lane without a pause what one in a pause has never sent. */
  private move(from: Lane, now: number): void {
    const to = this.lanes.find((lane) =>
      lane !== from && lane.pause.until <= now && lane.link.pausing(now) === 0);
    if (to === undefined) return;
    for (let left = from.waiting.length; left > 0; left--) {
      const owed = from.waiting.shift() as Owed;
      if (owed.sent || owed.key === "") {
        from.waiting.push(owed);
        continue;
      }
      owed.lane = to;
      this.note(owed);
      to.waiting.push(owed);
      this.wake();
    }
  }

  private send(owed: Owed, connection: Connection): void {
    owed.lane.sent++;
    if (owed.sent) this.stats.retries++;
    connection.call(owed.request, this.settings.recordTimeoutMs, (answer) => {
      owed.lane.sent--;
      this.answered(owed, answer);
    });
  }

  private answered(owed: Owed, answer: Reply | NoAnswer): void {
    if (answer instanceof NoAnswer) {
      owed.sent ||= answer.sent;
      this.again(owed, answer.sent);
      return;
    }
    const isRelease = owed.key === "";
    if (isRelease ? answer.code !== Code.unavailable : FINAL.has(answer.code)) {
      owed.lane.pause.over();
      this.ended(owed, answer);
      return;
    }
    // An earlier try may be applied even if this one was not: then it stays where it is.
    if (answer.code !== Code.unavailable && answer.code !== Code.deadlineExceeded) owed.sent = true;
    this.settings.log(`${owed.lane.link.address.text} answered a record with ` +
      `${statusText(answer.code, answer.message)}; it is sent again`);
    this.again(owed, true);
  }

  private again(owed: Owed, pause: boolean): void {
    const now = performance.now();
    if (pause && owed.lane.pause.until <= now) owed.lane.pause.failed(now);
    if (owed.key === "" && owed.until <= Date.now()) {
      this.end();
      return;
    }
    owed.lane.waiting.push(owed);
    this.wake();
  }

  private ended(owed: Owed, reply: Reply): void {
    if (owed.key !== "") {
      if (reply.code === Code.ok) {
        this.stats.recorded++;
        if (duplicate(reply.result)) this.stats.duplicates++;
      } else {
        this.stats.dropped++;
        this.settings.log(
          `the record ${owed.key} is not taken: ${statusText(reply.code, reply.message)}`);
      }
      this.journal?.done(owed.key);
    }
    this.end();
    if (owed.lane.waiting.length > 0) this.wake();
  }

  private end(): void {
    if (--this.owed > 0) return;
    const idle = this.idle;
    this.idle = [];
    for (const told of idle) told();
  }

  /** Takes over what processes that are no more have left, now and every minute. */
  private adopt(): void {
    this.adopting = this.inherit().catch((error: unknown) => {
      this.settings.log(`journals of others cannot be read: ${systemText(error)}`);
    }).then(() => {
      this.adopting = undefined;
      if (!this.closed) this.orphans = setTimeout(() => { this.adopt(); }, ORPHANS_MS).unref();
    });
  }

  private async inherit(): Promise<void> {
    for (const { path, owed } of await this.journal?.orphans() ?? []) {
      if (this.closed) return; // The file is an orphan again.
      for (const [key, note] of owed) {
        const lane = this.lanes.find((one) => one.link.address.text === note.address);
        // Whoever owned it may have sent it.
        const one = {
          key, request: note.request, lane: lane ?? this.lanes[0] as Lane,
          sent: lane !== undefined, until: 0,
        };
        this.note(one);
        this.take(one);
      }
      this.journal?.forget(path);
      if (owed.size > 0) {
        this.settings.log(`${owed.size} records are owed by ${path}, which is no more`);
      }
    }
  }

  /** Waits until nothing is owed; how many records still are. */
  async flush(timeoutMs?: number): Promise<number> {
    await this.adopting;
    if (this.owed > 0 && timeoutMs !== 0) {
      await new Promise<void>((resolve) => {
        this.idle.push(resolve);
        if (timeoutMs !== undefined) setTimeout(resolve, timeoutMs).unref();
      });
    }
    return this.owed;
  }

  close(): void {
    this.closed = true;
    for (const timer of [this.timer, this.orphans]) {
      if (timer !== undefined) clearTimeout(timer);
    }
    this.journal?.close();
  }
}
