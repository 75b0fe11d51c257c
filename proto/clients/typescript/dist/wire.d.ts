import type { Budgets, BudgetsWanted, Candidate, Charged, Denial, Pong } from "./answers";
export declare const Method: {
    readonly filter: 10;
    readonly record: 11;
    readonly budgets: 12;
    readonly reserve: 13;
    readonly release: 14;
    readonly authenticate: 20;
    readonly ping: 21;
    readonly extend: 22;
};
export declare const Code: {
    readonly ok: 0;
    readonly invalidArgument: 3;
    readonly deadlineExceeded: 4;
    readonly alreadyExists: 6;
    readonly resourceExhausted: 8;
    readonly outOfRange: 11;
    readonly unimplemented: 12;
    readonly unavailable: 14;
};
export declare const LONGEST_RESPONSE: number;
export declare const LENGTH_BYTES = 4;
/** Bytes that grow. */
export declare class Writer {
    private bytes;
    private used;
    constructor(size?: number);
    get length(): number;
    /** A copy of what was written. */
    taken(): Buffer;
    clear(): void;
    private room;
    varint(value: number): void;
    private key;
    number(number: number, value: number): void;
    flag(number: number, value: boolean | undefined): void;
    /** A value that is there, 0 too. */
    double(number: number, value: number): void;
    text(number: number, value: string | undefined): void;
    /** An entry of a list, an empty one too. */
    entry(number: number, value: string): void;
    part(number: number, bytes: Uint8Array): void;
    raw(bytes: Uint8Array): void;
    /** A whole frame; `request` is the method with its message. */
    frame(callId: number, timeoutMs: number, request: Uint8Array): void;
}
export interface Question {
    candidates: readonly Candidate[];
    tags: readonly string[];
    modelName: string;
    estimate: number;
}
export declare function filterRequest(asked: Question): Buffer;
export interface Wish {
    amount: number | undefined;
    ttlMs: number;
    key: string;
}
/** A FilterDeployments that also holds the amount for the candidate that it chooses. */
export declare function choosingRequest(asked: Question, wish: Wish): Buffer;
export declare function reserveRequest(charged: Charged, wish: Wish): Buffer;
export declare function recordRequest(charged: Charged, cost: number, key: string, reservation: string): Buffer;
export declare function releaseRequest(reservation: string): Buffer;
export declare function extendRequest(reservation: string, ttlMs: number): Buffer;
export declare function budgetsRequest(wanted: BudgetsWanted, pageToken: string): Buffer;
export declare function authenticateRequest(token: string): Buffer;
export declare function pingRequest(): Buffer;
/** The bytes are no message of budget.v1. */
export declare class Malformed extends Error {
}
/** Walks over the fields of one message. */
export declare class Reader {
    private readonly bytes;
    private at;
    private readonly end;
    number: number;
    private kind;
    private value;
    private start;
    constructor(bytes: Buffer, at?: number, end?: number);
    next(): boolean;
    private varint;
    private must;
    count(): number;
    signed(): number;
    flag(): boolean;
    amount(): number;
    text(): string;
    inside(): Reader;
    /** A list of numbers, packed or one by one. */
    counts(into: number[]): void;
}
/** A Response: how the call ended, and its result, not read yet. */
export declare class Reply {
    callId: number;
    code: number;
    message: string;
    method: number;
    result: Reader | undefined;
    constructor(reader: Reader);
    private status;
}
/** FilterDeploymentsResponse, and what ReserveSpendResponse has of it. */
export declare class Filtered {
    allowed: number[];
    denials: Denial[];
    candidates: Candidate[];
    omitted: number;
    chosen: number | null;
    reservation: string;
    expiresAt: number;
    reserved: number;
}
export declare function filtered(reader: Reader | undefined): Filtered;
export declare function reserved(reader: Reader | undefined): Filtered;
/** Whether RecordSpendResponse says that the key was seen before. */
export declare function duplicate(reader: Reader | undefined): boolean;
/** Of ExtendReservationResponse. */
export declare function expiry(reader: Reader | undefined): number;
/** Adds a page of budgets; gives the next one's token, "" after the last. */
export declare function budgetsPage(reader: Reader | undefined, into: Budgets): string;
export declare function pong(reader: Reader | undefined): Pong;
/** The idempotency key of a Request that records; undefined: it is none. */
export declare function recordKey(bytes: Buffer): string | undefined;
