// The little of Node that the client uses. Its own types (@types/node) are a dependency.

interface Timer { unref(): Timer; }
declare function setTimeout(act: () => void, milliseconds: number): Timer;
declare function clearTimeout(timer: Timer): void;
declare function queueMicrotask(act: () => void): void;
declare function setImmediate(act: () => void): object;
declare const performance: { now(): number };
declare const process: { emitWarning(message: string): void };

interface Buffer extends Uint8Array {
  copy(target: Uint8Array, at?: number, start?: number, end?: number): number;
  write(text: string, at: number): number;
  toString(encoding?: string, start?: number, end?: number): string;
  readDoubleLE(at: number): number;
  writeDoubleLE(value: number, at: number): number;
  readUInt32BE(at: number): number;
  writeUInt32BE(value: number, at: number): number;
  readUInt16BE(at: number): number;
  writeUInt16BE(value: number, at: number): number;
  subarray(start?: number, end?: number): Buffer;
  equals(other: Uint8Array): boolean;
}

declare const Buffer: {
  alloc(size: number): Buffer;
  allocUnsafe(size: number): Buffer;
  from(source: string | readonly number[]): Buffer;
  concat(parts: readonly Uint8Array[]): Buffer;
  byteLength(text: string): number;
};

interface SystemError extends Error {
  code?: string;
  errno?: number;
  errors?: SystemError[];
}

declare module "net" {
  export interface Socket {
    on(event: "data", act: (data: Buffer) => void): this;
    on(event: "error", act: (error: SystemError) => void): this;
    on(event: "connect" | "secureConnect" | "close" | "end" | "drain", act: () => void): this;
    write(data: Uint8Array): boolean;
    end(): void;
    destroy(): void;
    setNoDelay(on: boolean): this;
    setKeepAlive(on: boolean, delay: number): this;
  }
  export interface Server {
    readonly listening: boolean;
    on(event: "error", act: (error: SystemError) => void): this;
    listen(options: { path: string; exclusive: boolean }): this;
    close(): this;
    unref(): this;
  }
  export function connect(options: { path: string } | { host: string; port: number }): Socket;
  export function createServer(act: (socket: Socket) => void): Server;
  export function isIP(text: string): number;
}

declare module "tls" {
  import { Socket } from "net";
  export interface SecureContext { readonly context: object; }
  export function createSecureContext(options: object): SecureContext;
  export function connect(options: {
    host: string;
    port: number;
    secureContext: SecureContext;
    minVersion: string;
    servername?: string;
    checkServerIdentity: (host: string, certificate: object) => Error | undefined;
  }): Socket;
  export function checkServerIdentity(host: string, certificate: object): Error | undefined;
}

declare module "fs" {
  export const constants: { readonly W_OK: number };
  export function accessSync(path: string, mode: number): void;
  export function readFileSync(path: string): Buffer;
  export function mkdirSync(path: string, options: { recursive: boolean; mode: number }): void;
  export function openSync(path: string, flags: string, mode: number): number;
  export function writeSync(file: number, data: Uint8Array): number;
  export function ftruncateSync(file: number, length: number): void;
  export function closeSync(file: number): void;
  export function renameSync(from: string, to: string): void;
  export function rmSync(path: string, options: { force: boolean }): void;
  export function readdirSync(path: string): string[];
}

declare module "path" { export function join(...parts: string[]): string; }

declare module "crypto" {
  export function randomBytes(size: number): Buffer;
  export function randomFillSync(buffer: Uint8Array): void;
}

declare module "util" { export function getSystemErrorMap(): Map<number, [string, string]>; }
