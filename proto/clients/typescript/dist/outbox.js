"use strict";
// Records and releases on their way: queued, sent in order, sent again until they are answered.
Object.defineProperty(exports, "__esModule", { value: true });
exports.Outbox = void 0;
const errors_1 = require("./errors");
const journal_1 = require("./journal");
const link_1 = require("./link");
const settings_1 = require("./settings");
const wire_1 = require("./wire");
const MOST_SENT = 1024;
const ORPHANS_MS = 60000;
// A record that ends so is not sent again: another try would be answered in the same way.
const FINAL = new Set([
    wire_1.Code.ok, wire_1.Code.alreadyExists, wire_1.Code.invalidArgument, wire_1.Code.outOfRange,
]);
/** First in, first out. */
class Queue {
    items = [];
    head = 0;
    get length() { return this.items.length - this.head; }
    push(owed) { this.items.push(owed); }
    shift() {
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
    link;
    waiting = new Queue();
    sent = 0;
    pause;
    constructor(link, settings) {
        this.link = link;
        this.pause = new settings_1.Pause(settings.pauseMs, settings.longestPauseMs);
    }
}
class Outbox {
    settings;
    stats;
    owed = 0;
    lanes;
    journal;
    called = false;
    timer;
    orphans;
    adopting;
    idle = [];
    closed = false;
    constructor(links, settings, stats) {
        this.settings = settings;
        this.stats = stats;
        this.lanes = links.map((link) => new Lane(link, settings));
        for (const link of links)
            link.onEnd = () => { this.wake(); };
        if (settings.journal !== undefined) {
            this.journal = new journal_1.Journal(settings.journal, (message) => { settings.log(message); });
            this.adopt();
        }
    }
    /** A record, best sent to the address at `place`. */
    record(key, request, place) {
        if (this.owed >= this.settings.outbox)
            throw new errors_1.OutboxFullError(this.settings.outbox);
        const owed = { key, request, lane: this.lanes[place], sent: false, until: 0 };
        this.note(owed);
        this.take(owed);
    }
    /** A release: only that address knows the hold, and after `until` nobody does. */
    release(request, place, until) {
        this.take({ key: "", request, lane: this.lanes[place], sent: false, until });
    }
    note(owed) {
        this.journal?.owe(owed.key, { address: owed.lane.link.address.text, request: owed.request });
    }
    take(owed) {
        this.owed++;
        owed.lane.waiting.push(owed);
        this.wake();
    }
    wake() {
        if (this.called || this.closed)
            return;
        this.called = true;
        queueMicrotask(() => { this.pump(); });
    }
    /** Sends what may be sent now, and sees to it that it is called for the rest. */
    pump() {
        this.called = false;
        if (this.closed)
            return;
        const now = performance.now();
        let soonest = Infinity;
        for (const lane of this.lanes) {
            if (lane.waiting.length === 0)
                continue;
            const until = Math.max(lane.pause.until, now + lane.link.pausing(now));
            if (until > now) {
                this.move(lane, now);
                if (lane.waiting.length > 0)
                    soonest = Math.min(soonest, until);
                continue;
            }
            const connection = lane.link.connection;
            if (connection === undefined) {
                // The link pauses where it fails, and says why to whoever asks.
                lane.link.connected().catch(() => undefined).finally(() => { this.wake(); });
                continue;
            }
            while (lane.waiting.length > 0 && lane.sent < MOST_SENT) {
                this.send(lane.waiting.shift(), connection);
            }
        }
        if (soonest === Infinity)
            return;
        if (this.timer !== undefined)
            clearTimeout(this.timer);
        this.timer = setTimeout(() => { this.wake(); }, Math.max(1, Math.ceil(soonest - now)));
    }
    /** Lets go to a lane without a pause what one in a pause has never sent. */
    move(from, now) {
        const to = this.lanes.find((lane) => lane !== from && lane.pause.until <= now && lane.link.pausing(now) === 0);
        if (to === undefined)
            return;
        for (let left = from.waiting.length; left > 0; left--) {
            const owed = from.waiting.shift();
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
    send(owed, connection) {
        owed.lane.sent++;
        if (owed.sent)
            this.stats.retries++;
        connection.call(owed.request, this.settings.recordTimeoutMs, (answer) => {
            owed.lane.sent--;
            this.answered(owed, answer);
        });
    }
    answered(owed, answer) {
        if (answer instanceof link_1.NoAnswer) {
            owed.sent ||= answer.sent;
            this.again(owed, answer.sent);
            return;
        }
        const isRelease = owed.key === "";
        if (isRelease ? answer.code !== wire_1.Code.unavailable : FINAL.has(answer.code)) {
            owed.lane.pause.over();
            this.ended(owed, answer);
            return;
        }
        // An earlier try may be applied even if this one was not: then it stays where it is.
        if (answer.code !== wire_1.Code.unavailable && answer.code !== wire_1.Code.deadlineExceeded)
            owed.sent = true;
        this.settings.log(`${owed.lane.link.address.text} answered a record with ` +
            `${(0, errors_1.statusText)(answer.code, answer.message)}; it is sent again`);
        this.again(owed, true);
    }
    again(owed, pause) {
        const now = performance.now();
        if (pause && owed.lane.pause.until <= now)
            owed.lane.pause.failed(now);
        if (owed.key === "" && owed.until <= Date.now()) {
            this.end();
            return;
        }
        owed.lane.waiting.push(owed);
        this.wake();
    }
    ended(owed, reply) {
        if (owed.key !== "") {
            if (reply.code === wire_1.Code.ok) {
                this.stats.recorded++;
                if ((0, wire_1.duplicate)(reply.result))
                    this.stats.duplicates++;
            }
            else {
                this.stats.dropped++;
                this.settings.log(`the record ${owed.key} is not taken: ${(0, errors_1.statusText)(reply.code, reply.message)}`);
            }
            this.journal?.done(owed.key);
        }
        this.end();
        if (owed.lane.waiting.length > 0)
            this.wake();
    }
    end() {
        if (--this.owed > 0)
            return;
        const idle = this.idle;
        this.idle = [];
        for (const told of idle)
            told();
    }
    /** Takes over what processes that are no more have left, now and every minute. */
    adopt() {
        this.adopting = this.inherit().catch((error) => {
            this.settings.log(`journals of others cannot be read: ${(0, errors_1.systemText)(error)}`);
        }).then(() => {
            this.adopting = undefined;
            if (!this.closed)
                this.orphans = setTimeout(() => { this.adopt(); }, ORPHANS_MS).unref();
        });
    }
    async inherit() {
        for (const { path, owed } of await this.journal?.orphans() ?? []) {
            if (this.closed)
                return; // The file is an orphan again.
            for (const [key, note] of owed) {
                const lane = this.lanes.find((one) => one.link.address.text === note.address);
                // Whoever owned it may have sent it.
                const one = {
                    key, request: note.request, lane: lane ?? this.lanes[0],
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
    async flush(timeoutMs) {
        await this.adopting;
        if (this.owed > 0 && timeoutMs !== 0) {
            await new Promise((resolve) => {
                this.idle.push(resolve);
                if (timeoutMs !== undefined)
                    setTimeout(resolve, timeoutMs).unref();
            });
        }
        return this.owed;
    }
    close() {
        this.closed = true;
        for (const timer of [this.timer, this.orphans]) {
            if (timer !== undefined)
                clearTimeout(timer);
        }
        this.journal?.close();
    }
}
exports.Outbox = Outbox;
