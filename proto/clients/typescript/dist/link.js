"use strict";
// The way to one address: its connection, made when it is needed, and pauses after failures.
Object.defineProperty(exports, "__esModule", { value: true });
exports.Link = exports.Connection = exports.NoAnswer = void 0;
const net = require("net");
const tls = require("tls");
const errors_1 = require("./errors");
const settings_1 = require("./settings");
const wire_1 = require("./wire");
const wire_2 = require("./wire");
/** Why one try at one address has no answer. */
class NoAnswer extends Error {
    sent;
    constructor(reason, 
    /** Whether bytes of it may have reached the server. */
    sent) {
        super(reason);
        this.sent = sent;
    }
}
exports.NoAnswer = NoAnswer;
// More than the server reads of a connection before it has answered some.
const MOST_CALLS = 65536;
/** Calls of one timeout, in the order in which their time began: the first is the first late one. */
class Deadlines {
    timeoutMs;
    ids = [];
    head = 0;
    constructor(timeoutMs) {
        this.timeoutMs = timeoutMs;
    }
    push(id) { this.ids.push(id); }
    /** When the first call that still waits is late; undefined: none waits. */
    next(calls) {
        while (this.head < this.ids.length) {
            const id = this.ids[this.head];
            const call = calls.get(id);
            if (call !== undefined)
                return { id, call, late: call.since + this.timeoutMs };
            this.head++;
            if (this.head > 1024 && this.head * 2 > this.ids.length) {
                this.ids = this.ids.slice(this.head);
                this.head = 0;
            }
        }
        this.ids = [];
        this.head = 0;
        return undefined;
    }
}
/** Frames and calls of one connection that is open. */
class Connection {
    address;
    socket;
    onEnd;
    open = true;
    calls = new Map();
    lastId = 0;
    unwritten = [];
    writing = false;
    full = false;
    frames = new wire_2.Writer(1 << 16);
    deadlines = new Map();
    timer;
    timerAt = 0;
    received = [];
    receivedBytes = 0;
    wanted = wire_1.LENGTH_BYTES;
    heard = performance.now();
    farewell = "";
    fault = "";
    constructor(address, socket, onEnd) {
        this.address = address;
        this.socket = socket;
        this.onEnd = onEnd;
        socket.on("data", (data) => { this.take(data); });
        socket.on("drain", () => {
            this.full = false;
            this.writeSoon();
        });
        socket.on("end", () => { socket.destroy(); });
        socket.on("close", () => { this.lost(); });
    }
    /** Sends a request; `ended` is told of its answer. */
    call(request, timeoutMs, ended) {
        if (!this.open) {
            ended(new NoAnswer(this.words(), false));
            return;
        }
        if (this.calls.size >= MOST_CALLS || this.unwritten.length >= MOST_CALLS) {
            ended(new NoAnswer(`${this.address} takes nothing more: as many calls wait as may`, false));
            return;
        }
        const id = ++this.lastId;
        const call = { request, timeoutMs, ended, written: false, since: 0 };
        this.calls.set(id, call);
        this.unwritten.push(id);
        if (this.full) {
            // The server does not read: nothing else would end the call.
            this.begins(id, call);
            this.arm();
        }
        this.writeSoon();
    }
    close() { this.socket.destroy(); }
    writeSoon() {
        if (this.writing || this.full || this.unwritten.length === 0)
            return;
        this.writing = true;
        // After everything that this turn of the loop asks for.
        setImmediate(() => { this.write(); });
    }
    /** From now on its time counts. */
    begins(id, call) {
        call.since = performance.now();
        let deadlines = this.deadlines.get(call.timeoutMs);
        if (deadlines === undefined) {
            deadlines = new Deadlines(call.timeoutMs);
            this.deadlines.set(call.timeoutMs, deadlines);
        }
        deadlines.push(id);
    }
    write() {
        this.writing = false;
        if (!this.open)
            return;
        const ids = this.unwritten;
        this.unwritten = [];
        for (const id of ids) {
            const call = this.calls.get(id);
            if (call === undefined)
                continue;
            call.written = true;
            if (call.since === 0)
                this.begins(id, call);
            this.frames.frame(id, Math.max(1, Math.round(call.timeoutMs)), call.request);
        }
        if (this.frames.length === 0)
            return;
        this.full = !this.socket.write(this.frames.taken());
        this.arm();
    }
    arm() {
        let earliest = Infinity;
        for (const deadlines of this.deadlines.values()) {
            earliest = Math.min(earliest, deadlines.next(this.calls)?.late ?? Infinity);
        }
        if (earliest === Infinity || (this.timer !== undefined && this.timerAt <= earliest))
            return;
        if (this.timer !== undefined)
            clearTimeout(this.timer);
        this.timerAt = earliest;
        this.timer = setTimeout(() => {
            this.timer = undefined;
            // A loop that stood still has answers to read first: they are in time.
            setImmediate(() => { this.expire(); });
        }, Math.max(0, Math.ceil(earliest - performance.now())));
    }
    expire() {
        const now = performance.now();
        for (const deadlines of this.deadlines.values()) {
            for (;;) {
                const first = deadlines.next(this.calls);
                if (first === undefined || first.late > now)
                    break;
                this.calls.delete(first.id);
                const timeoutMs = first.call.timeoutMs;
                const silent = this.heard < first.call.since && timeoutMs >= 1000;
                first.call.ended(new NoAnswer(`no answer from ${this.address} within ${Math.round(timeoutMs)} ms`, first.call.written));
                // A peer that is gone without a word would keep the connection for a quarter of an hour.
                if (silent)
                    this.socket.destroy();
            }
        }
        this.arm();
    }
    take(data) {
        this.heard = performance.now();
        this.received.push(data);
        this.receivedBytes += data.length;
        if (this.receivedBytes < this.wanted)
            return;
        let bytes = this.received.length === 1 ? data : Buffer.concat(this.received);
        try {
            for (;;) {
                this.wanted = wire_1.LENGTH_BYTES;
                if (bytes.length < wire_1.LENGTH_BYTES)
                    break;
                const length = bytes.readUInt32BE(0);
                if (length > wire_1.LONGEST_RESPONSE)
                    throw new wire_1.Malformed(`a response of ${length} bytes`);
                this.wanted = wire_1.LENGTH_BYTES + length;
                if (bytes.length < this.wanted)
                    break;
                this.replied(new wire_2.Reply(new wire_2.Reader(bytes, wire_1.LENGTH_BYTES, this.wanted)));
                bytes = bytes.subarray(this.wanted);
            }
        }
        catch (error) {
            if (!(error instanceof wire_1.Malformed))
                throw error;
            this.fault = error.message;
            this.socket.destroy();
            bytes = Buffer.alloc(0);
        }
        this.received = bytes.length === 0 ? [] : [bytes];
        this.receivedBytes = bytes.length;
    }
    replied(reply) {
        if (reply.callId === 0) {
            // It answers no call: it says why the server is about to close the connection.
            this.farewell = (0, errors_1.statusText)(reply.code, reply.message);
            return;
        }
        const call = this.calls.get(reply.callId);
        if (call === undefined)
            return; // It waits no longer.
        this.calls.delete(reply.callId);
        call.ended(reply);
    }
    lost() {
        if (!this.open)
            return;
        this.open = false;
        if (this.timer !== undefined)
            clearTimeout(this.timer);
        const calls = [...this.calls.values()];
        this.calls.clear();
        for (const call of calls)
            call.ended(new NoAnswer(this.words(), call.written));
        this.onEnd();
    }
    words() {
        if (this.fault !== "")
            return `${this.address} does not speak budget.v1: ${this.fault}`;
        const words = `the connection to ${this.address} was lost before the answer came`;
        return this.farewell === "" ? words : `${words}: ${this.farewell}`;
    }
}
exports.Connection = Connection;
/** One address. */
class Link {
    address;
    settings;
    current;
    dialling;
    pause;
    why = "";
    closed = false;
    /** Called when the connection has ended. */
    onEnd = () => undefined;
    constructor(address, settings) {
        this.address = address;
        this.settings = settings;
        this.pause = new settings_1.Pause(settings.pauseMs, settings.longestPauseMs);
    }
    /** The connection, if it is open. */
    get connection() {
        return this.current?.open === true ? this.current : undefined;
    }
    /** For how long it is to be left alone. */
    pausing(now) { return Math.max(0, this.pause.until - now); }
    /** The connection, made now if there is none; NoAnswer where that is not to be had. */
    async connected() {
        const open = this.connection;
        if (open !== undefined)
            return open;
        if (this.dialling === undefined) {
            const left = this.pausing(performance.now());
            if (left > 0) {
                throw new NoAnswer(`${this.address.text} is left alone for ${Math.ceil(left)} ms after: ${this.why}`, false);
            }
            this.dialling = this.dial();
        }
        return this.dialling;
    }
    async dial() {
        try {
            const connection = await this.opened();
            this.pause.over();
            this.current = connection;
            return connection;
        }
        catch (error) {
            if (error instanceof NoAnswer) {
                this.why = error.message;
                this.pause.failed(performance.now());
            }
            throw error;
        }
        finally {
            this.dialling = undefined;
        }
    }
    async opened() {
        const socket = await this.connect();
        const connection = new Connection(this.address.text, socket, () => { this.onEnd(); });
        if (this.closed) {
            connection.close();
            throw new NoAnswer("the client was closed", false);
        }
        await this.introduce(connection);
        return connection;
    }
    connect() {
        const { text, host, port, path } = this.address;
        const { security, connectTimeoutMs } = this.settings;
        return new Promise((resolve, reject) => {
            const socket = security === undefined
                ? net.connect(path === "" ? { host, port } : { path })
                : tls.connect({
                    host, port, secureContext: security.context, minVersion: "TLSv1.3",
                    ...(0, settings_1.checks)(this.address, security),
                });
            let isConnected = false;
            const end = (words) => {
                clearTimeout(timer);
                socket.destroy();
                reject(new NoAnswer(words, false));
            };
            const timer = setTimeout(() => {
                end(`no connection to ${text}: not within ${Math.round(connectTimeoutMs)} ms`);
            }, connectTimeoutMs);
            socket.on("connect", () => { isConnected = true; });
            // After the promise has ended too: what follows is told by `close`.
            socket.on("error", (error) => {
                const kind = security !== undefined && isConnected ? "encrypted connection" : "connection";
                end(`no ${kind} to ${text}: ${(0, errors_1.systemText)(error)}`);
            });
            socket.on(security === undefined ? "connect" : "secureConnect", () => {
                clearTimeout(timer);
                if (path === "") {
                    socket.setNoDelay(true);
                    socket.setKeepAlive(true, 15000);
                }
                resolve(socket);
            });
        });
    }
    /** Says who this is, where there is a token. */
    async introduce(connection) {
        let token;
        try {
            token = this.settings.token();
        }
        catch (error) {
            connection.close();
            throw new NoAnswer(error.message, false);
        }
        if (token === undefined)
            return;
        const request = (0, wire_1.authenticateRequest)(token);
        const reply = await new Promise((ended) => {
            connection.call(request, this.settings.connectTimeoutMs, ended);
        });
        if (reply instanceof NoAnswer) {
            connection.close();
            throw new NoAnswer(reply.message, false);
        }
        // A server that does not know the method has no access file.
        if (reply.code !== wire_1.Code.ok && reply.code !== wire_1.Code.unimplemented) {
            connection.close();
            throw new NoAnswer(`${this.address.text} answered ${(0, errors_1.statusText)(reply.code, reply.message)}`, false);
        }
    }
    close() {
        this.closed = true;
        this.current?.close();
    }
}
exports.Link = Link;
