// A client's settings, checked when the client is made.

import { readFileSync } from "fs";
import { isIP } from "net";
import * as tls from "tls";
import { InvalidError, systemText } from "./errors";
import type { Options } from "./options";

export interface Address {
  text: string;
  host: string;
  port: number;
  /** Of a Unix socket, else "". */
  path: string;
}

function address(text: string): Address {
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
    throw new InvalidError(`'${text}' is not an address: give host:port or unix:PATH`);
  }
  return { text, host, port: Number(port), path: "" };
}

export interface Security {
  context: tls.SecureContext;
  serverName: string | undefined;
}

export class Settings {
  readonly addresses: Address[];
  readonly opens: boolean;
  readonly filterTimeoutMs: number;
  readonly reserveTimeoutMs: number;
  readonly recordTimeoutMs: number;
  readonly callTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly pauseMs: number;
  readonly longestPauseMs: number;
  readonly outbox: number;
  readonly journal: string | undefined;
  readonly security: Security | undefined;
  private readonly fixedToken: string | undefined;
  private readonly tokenFile: string | undefined;
  private readonly tell: (message: string) => void;

  constructor(server: string | readonly string[], options: Options) {
    const choice: unknown = options?.onUnavailable;
    if (choice === undefined || choice === null) {
      throw new InvalidError("on_unavailable is not given: open lets requests pass while budgetd " +
        "is away, closed denies them");
    }
    if (choice !== "open" && choice !== "closed") {
      throw new InvalidError(`on_unavailable is '${String(choice)}': give open or closed`);
    }
    const texts = (typeof server === "string" ? server.split(",") : [...server])
      .map((text) => text.trim()).filter((text) => text !== "");
    if (texts.length === 0) {
      throw new InvalidError("no address is given: give host:port or unix:PATH");
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
    this.outbox = options.outbox ?? 100_000;
    this.journal = options.journal;
    this.fixedToken = options.token;
    this.tokenFile = options.tokenFile;
    this.tell = options.log ?? ((message): void => process.emitWarning(message));
    this.security = this.encryption(options);
    this.token();
  }

  private encryption(options: Options): Security | undefined {
    if (!options.tlsCa) {
      // Without a word the token would go in the clear, where encryption was wanted.
      if (options.tlsCert || options.tlsKey || options.serverName) {
        throw new InvalidError("tls_cert, tls_key and server_name need tls_ca: give the file of " +
          "the server's roots, or leave them away");
      }
      if (options.tlsCa === undefined) return undefined;
      throw new InvalidError(
        "tls_ca is empty: give the file of the server's roots, or leave it away");
    }
    const local = this.addresses.find((one) => one.path !== "");
    if (local !== undefined) {
      throw new InvalidError(
        `${local.text} is not encrypted: leave tls_ca away, or give host:port`);
    }
    const names = [options.tlsCa, options.tlsCert, options.tlsKey].filter((one) => one);
    try {
      const read = (path?: string): Buffer | undefined =>
        path === undefined ? undefined : readFileSync(path);
      const context = tls.createSecureContext({
        ca: read(options.tlsCa), cert: read(options.tlsCert), key: read(options.tlsKey),
        minVersion: "TLSv1.3",
      });
      return { context, serverName: options.serverName };
    } catch (error) {
      throw new InvalidError(
        `the files for encryption cannot be used (${names.join(", ")}): ${systemText(error)}`);
    }
  }

  /** The token, read anew: a file may have another by now. */
  token(): string | undefined {
    if (this.tokenFile === undefined) return this.fixedToken;
    let token: string;
    try {
      token = readFileSync(this.tokenFile).toString("utf8").trim();
    } catch (error) {
      throw new InvalidError(
        `the token file ${this.tokenFile} cannot be read: ${systemText(error)}`);
    }
    if (token === "") throw new InvalidError(`the token file ${this.tokenFile} is empty`);
    return token;
  }

  log(message: string): void { this.tell(`budgetd: ${message}`); }
}

/** Names, as tls.connect takes them: no address may stand in the server's name. */
export function checks(to: Address, security: Security): {
  servername?: string;
  checkServerIdentity: (host: string, certificate: object) => Error | undefined;
} {
  const name = security.serverName || to.host;
  const check = (_: string, certificate: object): Error | undefined =>
    tls.checkServerIdentity(name, certificate);
  return isIP(name) === 0
    ? { servername: name, checkServerIdentity: check } : { checkServerIdentity: check };
}

/** How long something that failed is left alone: longer each time, never all clients at once. */
export class Pause {
  private failures = 0;
  until = 0;

  constructor(private readonly first: number, private readonly longest: number) {}

  failed(now: number): void {
    const most = Math.min(this.longest, this.first * 2 ** this.failures);
    this.failures++;
    this.until = now + most * (0.5 + Math.random() / 2);
  }

  over(): void {
    this.failures = 0;
    this.until = 0;
  }
}
