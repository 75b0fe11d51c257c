/** A client's options. Times are milliseconds. */
export interface Options {
    /** Says what filters and reservations do while no address answers. It has no default. */
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
