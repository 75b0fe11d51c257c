"use strict";
// Owed records in files: ../../README.md has the format, which all languages share.
Object.defineProperty(exports, "__esModule", { value: true });
exports.Journal = exports.readJournal = exports.crc32 = void 0;
const crypto_1 = require("crypto");
const fs = require("fs");
const net = require("net");
const path_1 = require("path");
const errors_1 = require("./errors");
const wire_1 = require("./wire");
const HEADER = Buffer.from("budgetd journal 1\n");
const OWED = 1;
const DONE = 2;
const LONGEST_ENTRY = 1 << 20;
const LONGEST_PATH = 80;
const REWRITE_BYTES = 16 << 20;
const HEAD_BYTES = 8;
const SUMS = new Uint32Array(256).map((_, byte) => {
    let sum = byte;
    for (let bit = 0; bit < 8; bit++)
        sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
    return sum;
});
/** CRC-32, which zlib has from Node 22.2 on only. */
function crc32(bytes) {
    let sum = 0xffffffff;
    for (const byte of bytes)
        sum = SUMS[(sum ^ byte) & 255] ^ (sum >>> 8);
    return (sum ^ 0xffffffff) >>> 0;
}
exports.crc32 = crc32;
function entry(payload) {
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32BE(payload.length, 0);
    head.writeUInt32BE(crc32(payload), 4);
    return Buffer.concat([head, payload]);
}
function owedEntry(note) {
    const address = Buffer.from(note.address);
    const head = Buffer.alloc(3);
    head[0] = OWED;
    head.writeUInt16BE(address.length, 1);
    return entry(Buffer.concat([head, address, note.request]));
}
/** The records that a file owes, by key, in the order in which it was written. */
function readJournal(data) {
    const owed = new Map();
    if (!data.subarray(0, HEADER.length).equals(HEADER))
        return owed;
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
        }
        else if (payload[0] === OWED && length >= 3) {
            const end = 3 + payload.readUInt16BE(1);
            note(owed, payload.toString("utf8", 3, end), payload.subarray(end));
        }
    }
    return owed;
}
exports.readJournal = readJournal;
function note(owed, address, request) {
    try {
        const key = (0, wire_1.recordKey)(request);
        if (key !== undefined)
            owed.set(key, { address, request });
    }
    catch (error) {
        if (!(error instanceof wire_1.Malformed))
            throw error; // Its sum is right: another version's record.
    }
}
function writeWhole(file, data) {
    if (fs.writeSync(file, data) < data.length)
        throw new Error("no space left on device");
}
/** This client's file in the folder, and orphans' files. */
class Journal {
    folder;
    log;
    name = (0, crypto_1.randomBytes)(8).toString("hex");
    lock;
    owed = new Map();
    /** Keys of what the disk did not take yet: written before anything else. */
    unwritten = new Set();
    file;
    owedBytes = 0;
    bytes = HEADER.length;
    /** The file is written anew when it has more bytes. */
    rewriteAbove = REWRITE_BYTES;
    adopted = 0;
    /** Orphans' files whose records are not all in this client's file yet. */
    kept = [];
    failing = false;
    constructor(folder, log) {
        this.folder = folder;
        this.log = log;
        const unusable = (why) => new errors_1.InvalidError(`the journal's folder ${folder} cannot be used: ${why}`);
        if (Buffer.byteLength(folder) > LONGEST_PATH) {
            throw unusable(`its path has ${Buffer.byteLength(folder)} bytes, at most ${LONGEST_PATH}`);
        }
        try {
            fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
            fs.accessSync(folder, fs.constants.W_OK);
        }
        catch (error) {
            throw unusable((0, errors_1.systemText)(error));
        }
        // The socket first: a journal whose lock nobody answers is an orphan.
        this.lock = net.createServer((probe) => { probe.destroy(); });
        this.lock.on("error", (error) => { log(`the journal's lock in ${folder}: ${(0, errors_1.systemText)(error)}`); });
        this.lock.listen({ path: this.path(".lock"), exclusive: true }).unref();
        if (!this.lock.listening)
            throw unusable("no socket can be made in it");
        try {
            this.file = this.newFile(".journal", HEADER);
        }
        catch (error) {
            this.lock.close();
            throw unusable((0, errors_1.systemText)(error));
        }
    }
    path(ending, name = this.name) { return (0, path_1.join)(this.folder, name + ending); }
    newFile(ending, content) {
        fs.rmSync(this.path(ending), { force: true });
        const file = fs.openSync(this.path(ending), "a", 0o600);
        try {
            writeWhole(file, content);
        }
        catch (error) {
            fs.closeSync(file);
            throw error;
        }
        return file;
    }
    /** Notes a record before it is sent, and again where it goes to another address. */
    owe(key, note) {
        this.owedBytes += note.request.length - (this.owed.get(key)?.request.length ?? 0);
        this.owed.delete(key);
        this.owed.set(key, note);
        this.unwritten.add(key);
        this.writeOut();
    }
    /** Notes that a record is answered. */
    done(key) {
        const before = this.owed.get(key);
        if (before === undefined)
            return;
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
        if (written)
            this.writeOut();
        if (this.bytes > this.rewriteAbove && this.owedBytes < this.bytes / 4)
            this.rewrite();
    }
    /** What is not in the file yet, as far as the disk takes it. */
    writeOut() {
        for (const key of this.unwritten) {
            const note = this.owed.get(key);
            if (note !== undefined && !this.append(owedEntry(note)))
                return;
            this.unwritten.delete(key);
        }
        this.wroteAll();
    }
    /** Everything that is owed is in the file. */
    wroteAll() {
        this.unwritten.clear();
        for (const path of this.kept.splice(0))
            fs.rmSync(path, { force: true });
    }
    append(data) {
        const written = this.writing(() => {
            writeWhole(this.file, data);
            this.bytes += data.length;
            this.failing = false;
        });
        // Readers stop at half an entry, and would not see those behind it.
        if (!written)
            this.writing(() => { fs.ftruncateSync(this.file, this.bytes); });
        return written;
    }
    /** The file without what is done. Its name stays: the socket is the lock, not the file. */
    rewrite() {
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
        }
        else {
            fs.rmSync(this.path(".new"), { force: true });
            // Not tried at each record while the disk is full.
            this.rewriteAbove = 2 * this.bytes;
        }
    }
    writing(act) {
        try {
            act();
            return true;
        }
        catch (error) {
            // Records go on: only the end of this process would lose what cannot be written now.
            if (!this.failing) {
                this.log(`the journal in ${this.folder} cannot be written: ${(0, errors_1.systemText)(error)}`);
            }
            this.failing = true;
            return false;
        }
    }
    /** Takes over the journals that nobody owns: each one's file, and what it owes. */
    async orphans() {
        const found = [];
        for (const name of fs.readdirSync(this.folder).sort()) {
            if (!name.endsWith(".journal"))
                continue;
            const owner = name.slice(0, -".journal".length).split("+")[0];
            if (owner === this.name || await this.lives(owner))
                continue;
            const path = this.path(`+${++this.adopted}.journal`);
            try {
                fs.renameSync((0, path_1.join)(this.folder, name), path);
            }
            catch {
                continue; // Another process was quicker.
            }
            found.push({ path, owed: readJournal(fs.readFileSync(path)) });
            fs.rmSync(this.path(".lock", owner), { force: true });
        }
        return found;
    }
    lives(owner) {
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
    forget(path) {
        this.kept.push(path);
        if (this.unwritten.size === 0)
            this.wroteAll();
    }
    /** The file stays if it owes something: whoever starts here next sends it. */
    close() {
        this.writeOut();
        fs.closeSync(this.file);
        if (this.owed.size === 0)
            fs.rmSync(this.path(".journal"), { force: true });
        this.lock.close(); // Removes the socket's file too.
    }
}
exports.Journal = Journal;
