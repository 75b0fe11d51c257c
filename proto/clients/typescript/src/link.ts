// The way to one address: its connection, made when it is needed, and pauses after failures.

import * as net from "net";
import * as tls from "tls";
import { statusText, systemText } from "./errors";
import type { Address, Settings } from "./settings";
import { checks, Pause } from "./settings";
import { authenticateRequest, Code, LENGTH_BYTES, LONGEST_RESPONSE, Malformed } from "./wire";
import { Reader, Reply, Writer } from "./wire";

/** Why one try at one address has no answer. */
export class NoAnswer extends Error {
  constructor(
    reason: string,
    /** Whether bytes of it may have reached the server. */
    readonly sent: boolean,
  ) { super(reason); }
}

/** Told of a call's end, once. */
type Ended = (reply: Reply | NoAnswer) => void;

interface Call {
  request: Uint8Array;
  timeoutMs: number;
  ended: Ended;
  /** Whether its frame was handed to the socket. */
  written: boolean;
  /** When its time began; 0: not yet. */
  since: number;
}

// More than the server reads of a connection before it has answered some.
const MOST_CALLS = 65_536;

/** Calls of one timeout, in the order in which their time began: the first is the first late one. */
class Deadlines {
  private ids: number[] = [];
  private head = 0;

  constructor(readonly timeoutMs: number) {}

  push(id: number): void { this.ids.push(id); }

  /** When the first call that still waits is late; undefined: none waits. */
  next(calls: Map<number, Call>): { id: number; call: Call; late: number } | undefined {
    while (this.head < this.ids.length) {
      const id = this.ids[this.head] as number;
      const call = calls.get(id);
      if (call !== undefined) return { id, call, late: call.since + this.timeoutMs };
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
export class Connection {
  open = true;
  private readonly calls = new Map<number, Call>();
  private lastId = 0;
  private unwritten: number[] = [];
  private writing = false;
  private full = false;
  private readonly frames = new Writer(1 << 16);
  private readonly deadlines = new Map<number, Deadlines>();
  private timer: Timer | undefined;
  private timerAt = 0;
  private received: Buffer[] = [];
  private receivedBytes = 0;
  private wanted = LENGTH_BYTES;
  private heard = performance.now();
  private farewell = "";
  private fault = "";

  constructor(
    private readonly address: string, private readonly socket: net.Socket,
    private readonly onEnd: () => void,
  ) {
    socket.on("data", (data) => { this.take(data); });
    socket.on("drain", () => {
      this.full = false;
      this.writeSoon();
    });
    socket.on("end", () => { socket.destroy(); });
    socket.on("close", () => { this.lost(); });
  }

  /** Sends a request; `ended` is told of its answer. */
  call(request: Uint8Array, timeoutMs: number, ended: Ended): void {
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

  close(): void { this.socket.destroy(); }

  private writeSoon(): void {
    if (this.writing || this.full || this.unwritten.length === 0) return;
    this.writing = true;
    // After everything that this turn of the loop asks for.
    setImmediate(() => { this.write(); });
  }

  /** From now on its time counts. */
  private begins(id: number, call: Call): void {
    call.since = performance.now();
    let deadlines = this.deadlines.get(call.timeoutMs);
    if (deadlines === undefined) {
      deadlines = new Deadlines(call.timeoutMs);
      this.deadlines.set(call.timeoutMs, deadlines);
    }
    deadlines.push(id);
  }

  private write(): void {
    this.writing = false;
    if (!this.open) return;
    const ids = this.unwritten;
    this.unwritten = [];
    for (const id of ids) {
      const call = this.calls.get(id);
      if (call === undefined) continue;
      call.written = true;
      if (call.since === 0) this.begins(id, call);
      this.frames.frame(id, Math.max(1, Math.round(call.timeoutMs)), call.request);
    }
    if (this.frames.length === 0) return;
    this.full = !this.socket.write(this.frames.taken());
    this.arm();
  }

  private arm(): void {
    let earliest = Infinity;
    for (const deadlines of this.deadlines.values()) {
      earliest = Math.min(earliest, deadlines.next(this.calls)?.late ?? Infinity);
    }
    if (earliest === Infinity || (this.timer !== undefined && this.timerAt <= earliest)) return;
    if (this.timer !== undefined) clearTimeout(this.timer);
    this.timerAt = earliest;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      // A loop that stood still has answers to read first: they are in time.
      setImmediate(() => { this.expire(); });
    }, Math.max(0, Math.ceil(earliest - performance.now())));
  }

  private expire(): void {
    const now = performance.now();
    for (const deadlines of this.deadlines.values()) {
      for (;;) {
        const first = deadlines.next(this.calls);
        if (first === undefined || first.late > now) break;
        this.calls.delete(first.id);
        const timeoutMs = first.call.timeoutMs;
        const silent = this.heard < first.call.since && timeoutMs >= 1000;
        first.call.ended(new NoAnswer(
          `no answer from ${this.address} within ${Math.round(timeoutMs)} ms`,
          first.call.written));
        // A peer that is gone without a word would keep the connection for a quarter of an hour.
        if (silent) this.socket.destroy();
      }
    }
    this.arm();
  }

  private take(data: Buffer): void {
    this.heard = performance.now();
    this.received.push(data);
    this.receivedBytes += data.length;
    if (this.receivedBytes < this.wanted) return;
    let bytes = this.received.length === 1 ? data : Buffer.concat(this.received);
    try {
      for (;;) {
        this.wanted = LENGTH_BYTES;
        if (bytes.length < LENGTH_BYTES) break;
        const length = bytes.readUInt32BE(0);
        if (length > LONGEST_RESPONSE) throw new Malformed(`a response of ${length} bytes`);
        this.wanted = LENGTH_BYTES + length;
        if (bytes.length < this.wanted) break;
        this.replied(new Reply(new Reader(bytes, LENGTH_BYTES, this.wanted)));
        bytes = bytes.subarray(this.wanted);
      }
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.fault = error.message;
      this.socket.destroy();
      bytes = Buffer.alloc(0);
    }
    this.received = bytes.length === 0 ? [] : [bytes];
    this.receivedBytes = bytes.length;
  }

  private replied(reply: Reply): void {
    if (reply.callId === 0) {
      // It answers no call: it says why the server is about to close the connection.
      this.farewell = statusText(reply.code, reply.message);
      return;
    }
    const call = this.calls.get(reply.callId);
    if (call === undefined) return; // It waits no longer.
    this.calls.delete(reply.callId);
    call.ended(reply);
  }

  private lost(): void {
    if (!this.open) return;
    this.open = false;
    if (this.timer !== undefined) clearTimeout(this.timer);
    const calls = [...this.calls.values()];
    this.calls.clear();
    for (const call of calls) call.ended(new NoAnswer(this.words(), call.written));
    this.onEnd();
  }

  private words(): string {
    if (this.fault !== "") return `${this.address} does not speak budget.v1: ${this.fault}`;
    const words = `the connection to ${this.address} was lost before the answer came`;
    return this.farewell === "" ? words : `${words}: ${this.farewell}`;
  }
}

/** One address. */
export class Link {
  private current: Connection | undefined;
  private dialling: Promise<Connection> | undefined;
  private readonly pause: Pause;
  private why = "";
  private closed = false;
  /** Called when the connection has ended. */
  onEnd: () => void = () => undefined;

  constructor(readonly address: Address, private readonly settings: Settings) {
    this.pause = new Pause(settings.pauseMs, settings.longestPauseMs);
  }

  /** The connection, if it is open. */
  get connection(): Connection | undefined {
    return this.current?.open === true ? this.current : undefined;
  }

  /** For how long it is to be left alone. */
  pausing(now: number): number { return Math.max(0, this.pause.until - now); }

  /** The connection, made now if there is none; NoAnswer where that is not to be had. */
  async connected(): Promise<Connection> {
    const open = this.connection;
    if (open !== undefined) return open;
    if (this.dialling === undefined) {
      const left = this.pausing(performance.now());
      if (left > 0) {
        throw new NoAnswer(
          `${this.address.text} is left alone for ${Math.ceil(left)} ms after: ${this.why}`, false);
      }
      this.dialling = this.dial();
    }
    return this.dialling;
  }

  private async dial(): Promise<Connection> {
    try {
      const connection = await this.opened();
      this.pause.over();
      this.current = connection;
      return connection;
    } catch (error) {
      if (error instanceof NoAnswer) {
        this.why = error.message;
        this.pause.failed(performance.now());
      }
      throw error;
    } finally {
      this.dialling = undefined;
    }
  }

  private async opened(): Promise<Connection> {
    const socket = await this.connect();
    const connection = new Connection(this.address.text, socket, () => { this.onEnd(); });
    if (this.closed) {
      connection.close();
      throw new NoAnswer("the client was closed", false);
    }
    await this.introduce(connection);
    return connection;
  }

  private connect(): Promise<net.Socket> {
    const { text, host, port, path } = this.address;
    const { security, connectTimeoutMs } = this.settings;
    return new Promise((resolve, reject) => {
      const socket = security === undefined
        ? net.connect(path === "" ? { host, port } : { path })
        : tls.connect({
          host, port, secureContext: security.context, minVersion: "TLSv1.3",
          ...checks(this.address, security),
        });
      let isConnected = false;
      const end = (words: string): void => {
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
        end(`no ${kind} to ${text}: ${systemText(error)}`);
      });
      socket.on(security === undefined ? "connect" : "secureConnect", () => {
        clearTimeout(timer);
        if (path === "") {
          socket.setNoDelay(true);
          socket.setKeepAlive(true, 15_000);
        }
        resolve(socket);
      });
    });
  }

  /** Says who this is, where there is a token. */
  private async introduce(connection: Connection): Promise<void> {
    let token: string | undefined;
    try {
      token = this.settings.token();
    } catch (error) {
      connection.close();
      throw new NoAnswer((error as Error).message, false);
    }
    if (token === undefined) return;
    const request = authenticateRequest(token);
    const reply = await new Promise<Reply | NoAnswer>((ended) => {
      connection.call(request, this.settings.connectTimeoutMs, ended);
    });
    if (reply instanceof NoAnswer) {
      connection.close();
      throw new NoAnswer(reply.message, false);
    }
    // A server that does not know the method has no access file.
    if (reply.code !== Code.ok && reply.code !== Code.unimplemented) {
      connection.close();
      throw new NoAnswer(
        `${this.address.text} answered ${statusText(reply.code, reply.message)}`, false);
    }
  }

  close(): void {
    this.closed = true;
    this.current?.close();
  }
}
