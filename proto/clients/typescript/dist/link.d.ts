import * as net from "net";
import type { Address, Settings } from "./settings";
import { Reply } from "./wire";
/** Why one try at one address has no answer. */
export declare class NoAnswer extends Error {
    /** Whether bytes of it may have reached the server. */
    readonly sent: boolean;
    constructor(reason: string, 
    /** Whether bytes of it may have reached the server. */
    sent: boolean);
}
/** Told of a call's end, once. */
declare type Ended = (reply: Reply | NoAnswer) => void;
/** Frames and calls of one connection that is open. */
export declare class Connection {
    private readonly address;
    private readonly socket;
    private readonly onEnd;
    open: boolean;
    private readonly calls;
    private lastId;
    private unwritten;
    private writing;
    private full;
    private readonly frames;
    private readonly deadlines;
    private timer;
    private timerAt;
    private received;
    private receivedBytes;
    private wanted;
    private heard;
    private farewell;
    private fault;
    constructor(address: string, socket: net.Socket, onEnd: () => void);
    /** Sends a request; `ended` is told of its answer. */
    call(request: Uint8Array, timeoutMs: number, ended: Ended): void;
    close(): void;
    private writeSoon;
    /** From now on its time counts. */
    private begins;
    private write;
    private arm;
    private expire;
    private take;
    private replied;
    private lost;
    private words;
}
/** One address. */
export declare class Link {
    readonly address: Address;
    private readonly settings;
    private current;
    private dialling;
    private readonly pause;
    private why;
    private closed;
    /** Called when the connection has ended. */
    onEnd: () => void;
    constructor(address: Address, settings: Settings);
    /** The connection, if it is open. */
    get connection(): Connection | undefined;
    /** For how long it is to be left alone. */
    pausing(now: number): number;
    /** The connection, made now if there is none; NoAnswer where that is not to be had. */
    connected(): Promise<Connection>;
    private dial;
    private opened;
    private connect;
    /** Says who this is, where there is a token. */
    private introduce;
    close(): void;
}
export {};
