// Owed records in files: ../../README.md has the format, which all languages share.

import { randomBytes } from "crypto";
import * as fs from "fs";
import * as net from "net";
import { join } from "path";
import { InvalidError, systemText } from "./errors";
import { Malformed, recordKey } from "./wire";

const HEADER = Buffer.from("budgetd journal 1\n");
const OWED = 1;
const DONE = 2;
const LONGEST_ENTRY = 1 << 20;
const LONGEST_PATH = 80;
const REWRITE_BYTES = 16 << 20;
const HEAD_BYTES = 8;

const SUMS = new Uint32Array(256).map((_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  return sum;
});

/** CRC-32, which zlib has from Node 22.2 on only. */
export function crc32(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = (SUMS[(sum ^ byte) & 255] as number) ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

/** A record as a journal has it: the address that may have it, and its Request. */
export interface Note { address: string; request: Buffer }

function entry(payload: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(payload.length, 0);
  head.writeUInt32BE(crc32(payload), 4);
  return Buffer.concat([head, payload]);
}

function owedEntry(note: Note): Buffer {
  const address = Buffer.from(note.address);
  const head = Buffer.alloc(3);
  head[0] = OWED;
  head.writeUInt16BE(address.length, 1);
  return entry(Buffer.concat([head, address, note.request]));
}

/** The records that a file owes, by key, in the order in which it was written. */
export function readJournal(data: Buffer): Map<string, Note> {
  const owed = new Map<string, Note>();
  if (!data.subarray(0, HEADER.length).equals(HEADER)) return owed;
  let at = HEADER.length;
  while (data.length - at >= HEAD_BYTES) {
    const length = data.readUInt32BE(at);
    const sum = data.readUInt32BE(at + 4);
    const payload = data.subarray(at + HEAD_BYTES, at + HEAD_BYTES + length);
    // The end of a process cuts its last entry short: what stands before it counts.
    if (length < 1 || length > LONGEST_ENTRY || payload.length < length || crc32(payload) !== sum) {
      break;
    }
    at += HEAD_BYTES + length;
    if (payload[0] === DONE) {
      owed.delete(payload.toString("utf8", 1));
    } else if (payload[0] === OWED && length >= 3) {
      const end = 3 + payload.readUInt16BE(1);
      note(owed, payload.toString("utf8", 3, end), payload.subarray(end));
    }
  }
  return owed;
}

function note(owed: Map<string, Note>, address: string, request: Buffer): void {
  try {
    const key = recordKey(request);
    if (key !== undefined) owed.set(key, { address, request });
  } catch (error) {
    if (!(error instanceof Malformed)) throw error; // Its sum is right: another version's record.
  }
}

function writeWhole(file: number, data: Buffer): void {
  if (fs.writeSync(file, data) < data.length) throw new Error("no space left on device");
}

/** This client's file in the folder, and orphans' files. */
export class Journal {
  private readonly name = randomBytes(8).toString("hex");
  private readonly lock: net.Server;
  private readonly owed = new Map<string, Note>();
  /** Keys of what the disk did not take yet: written before anything else. */
  private readonly unwritten = new Set<string>();
  private file: number;
  private owedBytes = 0;
  private bytes = HEADER.length;
  /** The file is written anew when it has more bytes. */
  private rewriteAbove = REWRITE_BYTES;
  private adopted = 0;
  /** Orphans' files whose records are not all in this client's file yet. */
  private kept: string[] = [];
  private failing = false;

  constructor(private readonly folder: string, private readonly log: (message: string) => void) {
    const unusable = (why: string): InvalidError =>
      new InvalidError(`the journal's folder ${folder} cannot be used: ${why}`);
    if (Buffer.byteLength(folder) > LONGEST_PATH) {
      throw unusable(`its path has ${Buffer.byteLength(folder)} bytes, at most ${LONGEST_PATH}`);
    }
    try {
      fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
      fs.accessSync(folder, fs.constants.W_OK);
    } catch (error) {
      throw unusable(systemText(error));
    }
    // The socket first: a journal whose lock nobody answers is an orphan.
    this.lock = net.createServer((probe) => { probe.destroy(); });
    this.lock.on("error", (error) => { log(`the journal's lock in ${folder}: ${systemText(error)}`); });
    this.lock.listen({ path: this.path(".lock"), exclusive: true }).unref();
    if (!this.lock.listening) throw unusable("no socket can be made in it");
    try {
      this.file = this.newFile(".journal", HEADER);
    } catch (error) {
      this.lock.close();
      throw unusable(systemText(error));
    }
  }

  private path(ending: string, name = this.name): string { return join(this.folder, name + ending); }

  private newFile(ending: string, content: Buffer): number {
    fs.rmSync(this.path(ending), { force: true });
    const file = fs.openSync(this.path(ending), "a", 0o600);
    try {
      writeWhole(file, content);
    } catch (error) {
      fs.closeSync(file);
      throw error;
    }
    return file;
  }

  /** Notes a record before it is sent, and again where it goes to another address. */
  owe(key: string, note: Note): void {
    this.owedBytes += note.request.length - (this.owed.get(key)?.request.length ?? 0);
    this.owed.delete(key);
    this.owed.set(key, note);
    this.unwritten.add(key);
    this.writeOut();
  }

  /** Notes that a record is answered. */
  done(key: string): void {
    const before = this.owed.get(key);
    if (before === undefined) return;
    this.owed.delete(key);
    this.owedBytes -= before.request.length;
    if (this.owed.size === 0) {
      this.wroteAll();
      this.writing(() => {
        fs.ftruncateSync(this.file, HEADER.length);
        this.bytes = HEADER.length;
        this.rewriteAbove = REWRITE_BYTES;
      });
      return;
    }
    this.unwritten.delete(key);
    const written = this.append(entry(Buffer.concat([Buffer.from([DONE]), Buffer.from(key)])));
    if (written) this.writeOut();
    if (this.bytes > this.rewriteAbove && this.owedBytes < this.bytes / 4) this.rewrite();
  }

  /** What is not in the file yet, as far as the disk takes it. */
  private writeOut(): void {
    for (const key of this.unwritten) {
      const note = this.owed.get(key);
      if (note !== undefined && !this.append(owedEntry(note))) return;
      this.unwritten.delete(key);
    }
    this.wroteAll();
  }

  /** Everything that is owed is in the file. */
  private wroteAll(): void {
    this.unwritten.clear();
    for (const path of this.kept.splice(0)) fs.rmSync(path, { force: true });
  }

  private append(data: Buffer): boolean {
    const written = this.writing(() => {
      writeWhole(this.file, data);
      this.bytes += data.length;
      this.failing = false;
    });
    // Readers stop at half an entry, and would not see those behind it.
    if (!written) this.writing(() => { fs.ftruncateSync(this.file, this.bytes); });
    return written;
  }

  /** The file without what is done. Its name stays: the socket is the lock, not the file. */
  private rewrite(): void {
    const content = Buffer.concat([HEADER, ...[...this.owed.values()].map(owedEntry)]);
    const written = this.writing(() => {
      const file = this.newFile(".new", content);
      fs.renameSync(this.path(".new"), this.path(".journal"));
      fs.closeSync(this.file);
      this.file = file;
    });
    if (written) {
      this.bytes = content.length;
      this.rewriteAbove = REWRITE_BYTES;
      this.wroteAll();
    } else {
      fs.rmSync(this.path(".new"), { force: true });
      // Not tried at each record while the disk is full.
      this.rewriteAbove = 2 * this.bytes;
    }
  }

  private writing(act: () => void): boolean {
    try {
      act();
      return true;
    } catch (error) {
      // Records go on: only the end of this process would lose what cannot be written now.
      if (!this.failing) {
        this.log(`the journal in ${this.folder} cannot be written: ${systemText(error)}`);
      }
      this.failing = true;
      return false;
    }
  }

  /** Takes over the journals that nobody owns: each one's file, and what it owes. */
  async orphans(): Promise<{ path: string; owed: Map<string, Note> }[]> {
    const found = [];
    for (const name of fs.readdirSync(this.folder).sort()) {
      if (!name.endsWith(".journal")) continue;
      const owner = name.slice(0, -".journal".length).split("+")[0] as string;
      if (owner === this.name || await this.lives(owner)) continue;
      const path = this.path(`+${++this.adopted}.journal`);
      try {
        fs.renameSync(join(this.folder, name), path);
      } catch {
        continue; // Another process was quicker.
      }
      found.push({ path, owed: readJournal(fs.readFileSync(path)) });
      fs.rmSync(this.path(".lock", owner), { force: true });
    }
    return found;
  }

  private lives(owner: string): Promise<boolean> {
    return new Promise((resolve) => {
      const probe = net.connect({ path: this.path(".lock", owner) });
      probe.on("connect", () => {
        probe.destroy();
        resolve(true);
      });
      // Any other error is that of a socket somebody listens at, with a queue that is full.
      probe.on("error", (error) => {
        resolve(error.code !== "ECONNREFUSED" && error.code !== "ENOENT");
      });
    });
  }

  /**
   * Removes an orphan's file, whose records are all owed here: once they are written here. The end of
   * this process makes it an orphan again.
   */
  forget(path: string): void {
    this.kept.push(path);
    if (this.unwritten.size === 0) this.wroteAll();
  }

  /** The file stays if it owes something: whoever starts here next sends it. */
  close(): void {
    this.writeOut();
    fs.closeSync(this.file);
    if (this.owed.size === 0) fs.rmSync(this.path(".journal"), { force: true });
    this.lock.close(); // Removes the socket's file too.
  }
}
