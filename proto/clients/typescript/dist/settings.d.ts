import * as tls from "tls";
import type { Options } from "./options";
export interface Address {
    text: string;
    host: string;
    port: number;
    /** Of a Unix socket, else "". */
    path: string;
}
export interface Security {
    context: tls.SecureContext;
    serverName: string | undefined;
}
export declare class Settings {
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
    private readonly fixedToken;
    private readonly tokenFile;
    private readonly tell;
    constructor(server: string | readonly string[], options: Options);
    private encryption;
    /** The token, read anew: a file may have another by now. */
    token(): string | undefined;
    log(message: string): void;
}
/** Names, as tls.connect takes them: no address may stand in the server's name. */
export declare function checks(to: Address, security: Security): {
    servername?: string;
    checkServerIdentity: (host: string, certificate: object) => Error | undefined;
};
/** How long something that failed is left alone: longer each time, never all clients at once. */
export declare class Pause {
    private readonly first;
    private readonly longest;
    private failures;
    until: number;
    constructor(first: number, longest: number);
    failed(now: number): void;
    over(): void;
}
