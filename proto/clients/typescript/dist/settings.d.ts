import * as tls from "tls";
/** What a client is told. Times are milliseconds. */
export interface Options {
    /** What filters and reservations do while no address answers. It has no default. */
    onUnavailable: "open" | "closed";
    /** How long `filter` waits after its request was written: 100. */
    filterTimeoutMs?: number;
    /** The same of `reserve` and `extend`: 1500, since a fleet may wait 1 s for room. */
    reserveTimeoutMs?: number;
    /** How long a record waits for its answer before it is sent again: 5000. */
    recordTimeoutMs?: number;
    /** How long `budgets` and `ping` wait: 5000. */
    callTimeoutMs?: number;
    /** A connection is made within: 1000. */
    connectTimeoutMs?: number;
    /** The first pause after a failure: 50. */
    pauseMs?: number;
    /** The longest pause: 5000. */
    longestPauseMs?: number;
    /** How many records may be owed: 100,000. */
    outbox?: number;
    /** A folder in which what is owed survives the end of the process. */
    journal?: string;
    /** Says who the client is. */
    token?: string;
    /** The same, read anew for each connection. */
    tokenFile?: string;
    /** The roots that the server's certificate has to lead to, a PEM file; absent: no encryption. */
    tlsCa?: string;
    /** The client's own certificate, a PEM file. */
    tlsCert?: string;
    /** Its key. */
    tlsKey?: string;
    /** The name that the server's certificate has to be for; absent: the address's host. */
    serverName?: string;
    /** Told of what no caller hears, such as a record that is refused. */
    log?: (message: string) => void;
}
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
/** What tls.connect is told of names: no address may stand in the server's name. */
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
