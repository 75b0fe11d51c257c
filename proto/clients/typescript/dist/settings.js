"use strict";
// A client's settings, checked when the client is made.
Object.defineProperty(exports, "__esModule", { value: true });
exports.Pause = exports.checks = exports.Settings = void 0;
const fs_1 = require("fs");
const net_1 = require("net");
const tls = require("tls");
const errors_1 = require("./errors");
function address(text) {
    if (text.startsWith("unix:") && text.length > "unix:".length) {
        return { text, host: "", port: 0, path: text.slice("unix:".length) };
    }
    const colon = text.lastIndexOf(":");
    const port = text.slice(colon + 1);
    const given = colon < 0 ? "" : text.slice(0, colon);
    const isNumber = given.startsWith("[") && given.endsWith("]");
    // Without brackets nobody can say where an IPv6 address ends.
    const host = isNumber ? given.slice(1, -1) : given.includes(":") ? "" : given;
    const isPort = /^[0-9]{1,5}$/.test(port) && Number(port) > 0 && Number(port) < 65536;
    if (host === "" || !isPort || text.startsWith("unix:")) {
        throw new errors_1.InvalidError(`'${text}' is not an address: give host:port or unix:PATH`);
    }
    return { text, host, port: Number(port), path: "" };
}
class Settings {
    addresses;
    opens;
    filterTimeoutMs;
    reserveTimeoutMs;
    recordTimeoutMs;
    callTimeoutMs;
    connectTimeoutMs;
    pauseMs;
    longestPauseMs;
    outbox;
    journal;
    security;
    fixedToken;
    tokenFile;
    tell;
    constructor(server, options) {
        const choice = options?.onUnavailable;
        if (choice === undefined || choice === null) {
            throw new errors_1.InvalidError("on_unavailable is not given: open lets requests pass while budgetd " +
                "is away, closed denies them");
        }
        if (choice !== "open" && choice !== "closed") {
            throw new errors_1.InvalidError(`on_unavailable is '${String(choice)}': give open or closed`);
        }
        const texts = (typeof server === "string" ? server.split(",") : [...server])
            .map((text) => text.trim()).filter((text) => text !== "");
        if (texts.length === 0) {
            throw new errors_1.InvalidError("no address is given: give host:port or unix:PATH");
        }
        this.opens = choice === "open";
        this.addresses = texts.map(address);
        this.filterTimeoutMs = options.filterTimeoutMs ?? 100;
        this.reserveTimeoutMs = options.reserveTimeoutMs ?? 1500;
        this.recordTimeoutMs = options.recordTimeoutMs ?? 5000;
        this.callTimeoutMs = options.callTimeoutMs ?? 5000;
        this.connectTimeoutMs = options.connectTimeoutMs ?? 1000;
        this.pauseMs = options.pauseMs ?? 50;
        this.longestPauseMs = options.longestPauseMs ?? 5000;
        this.outbox = options.outbox ?? 100000;
        this.journal = options.journal;
        this.fixedToken = options.token;
        this.tokenFile = options.tokenFile;
        this.tell = options.log ?? ((message) => process.emitWarning(message));
        this.security = this.encryption(options);
        this.token();
    }
    encryption(options) {
        if (!options.tlsCa) {
            // Without a word the token would go in the clear, where encryption was wanted.
            if (options.tlsCert || options.tlsKey || options.serverName) {
                throw new errors_1.InvalidError("tls_cert, tls_key and server_name need tls_ca: give the file of " +
                    "the server's roots, or leave them away");
            }
            if (options.tlsCa === undefined)
                return undefined;
            throw new errors_1.InvalidError("tls_ca is empty: give the file of the server's roots, or leave it away");
        }
        const local = this.addresses.find((one) => one.path !== "");
        if (local !== undefined) {
            throw new errors_1.InvalidError(`${local.text} is not encrypted: leave tls_ca away, or give host:port`);
        }
        const names = [options.tlsCa, options.tlsCert, options.tlsKey].filter((one) => one);
        try {
            const read = (path) => path === undefined ? undefined : (0, fs_1.readFileSync)(path);
            const context = tls.createSecureContext({
                ca: read(options.tlsCa), cert: read(options.tlsCert), key: read(options.tlsKey),
                minVersion: "TLSv1.3",
            });
            return { context, serverName: options.serverName };
        }
        catch (error) {
            throw new errors_1.InvalidError(`the files for encryption cannot be used (${names.join(", ")}): ${(0, errors_1.systemText)(error)}`);
        }
    }
    /** The token, read anew: a file may have another by now. */
    token() {
        if (this.tokenFile === undefined)
            return this.fixedToken;
        let token;
        try {
            token = (0, fs_1.readFileSync)(this.tokenFile).toString("utf8").trim();
        }
        catch (error) {
            throw new errors_1.InvalidError(`the token file ${this.tokenFile} cannot be read: ${(0, errors_1.systemText)(error)}`);
        }
        if (token === "")
            throw new errors_1.InvalidError(`the token file ${this.tokenFile} is empty`);
        return token;
    }
    log(message) { this.tell(`budgetd: ${message}`); }
}
exports.Settings = Settings;
/** Names, as tls.connect takes them: no address may stand in the server's name. */
function checks(to, security) {
    const name = security.serverName || to.host;
    const check = (_, certificate) => tls.checkServerIdentity(name, certificate);
    return (0, net_1.isIP)(name) === 0
        ? { servername: name, checkServerIdentity: check } : { checkServerIdentity: check };
}
exports.checks = checks;
/** How long something that failed is left alone: longer each time, never all clients at once. */
class Pause {
    first;
    longest;
    failures = 0;
    until = 0;
    constructor(first, longest) {
        this.first = first;
        this.longest = longest;
    }
    failed(now) {
        const most = Math.min(this.longest, this.first * 2 ** this.failures);
        this.failures++;
        this.until = now + most * (0.5 + Math.random() / 2);
    }
    over() {
        this.failures = 0;
        this.until = 0;
    }
}
exports.Pause = Pause;
