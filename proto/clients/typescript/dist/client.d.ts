import type { Answer, Budgets, BudgetsWanted, Candidate, Charged, Denial, Pong, Stats } from "./answers";
import type { Options } from "./options";
declare global {
    interface SymbolConstructor {
        readonly dispose: unique symbol;
        readonly asyncDispose: unique symbol;
    }
}
/** A UUIDv7: what makes a record's repetition harmless. */
export declare function newKey(): string;
/** A filter's options, besides the candidates. */
export interface FilterOptions {
    tags?: readonly string[];
    /** The public model name that was asked for; without candidates, those configured for it count. */
    modelName?: string;
    /** US dollars that the request may cost. */
    estimate?: number;
}
/** An amount to be held, and for whom: the first of the candidates with room, or what is named. */
export interface Reservation extends Charged {
    candidates?: readonly Candidate[];
    /** US dollars; absent: budgetd's estimate. */
    amount?: number;
    /** When the hold ends by itself; absent: the server's choice. */
    ttlMs?: number;
    key?: string;
}
/** Who is charged, and the record's key; absent: the client makes one. */
export interface Recording extends Charged {
    key?: string;
}
/**
 * Budgets of one budgetd, or of several of one fleet. It connects when it is first used, and keeps
 * the process alive until `close`.
 *
 *     const budgets = new Client("127.0.0.1:7077", { onUnavailable: "open" });
 *     const answer = await budgets.filter([{ id: "gpt-4o-eu", model: "azure/gpt-4o" }]);
 *     budgets.record(0.25, { deploymentId: "gpt-4o-eu" });
 */
export declare class Client {
    private readonly settings;
    private readonly links;
    private readonly outbox;
    private readonly counts;
    private preferred;
    private closed;
    /** `server`: one address or several, `host:port` or `unix:PATH`. */
    constructor(server: string | readonly string[], options: Options);
    /** Which candidates are within budget. That none is, is an answer: `message` says why. */
    filter(candidates?: readonly Candidate[], options?: FilterOptions): Promise<Answer>;
    /** Holds an amount. Fails with `DeniedError` where there is no room. */
    reserve(reservation: Reservation): Promise<Hold>;
    /**
     * Owes what a request cost, and returns the record's key. Never waits: it is sent until budgetd
     * has answered.
     */
    record(cost: number, recording: Recording): string;
    /** Where the budgets stand: all pages together. */
    budgets(wanted?: BudgetsWanted): Promise<Budgets>;
    /** Who answers, and how it is. */
    ping(): Promise<Pong>;
    /** Counts of what the client has done so far. */
    get stats(): Stats;
    /** Waits until no record is owed, so many milliseconds at most; how many still are. */
    flush(timeoutMs?: number): Promise<number>;
    /** Flushes, and ends. What is still owed (the result says how much) is lost, or in the journal. */
    close(timeoutMs?: number): Promise<number>;
    /** For `await using`. */
    [Symbol.asyncDispose](): Promise<void>;
    private opened;
    /** An answer, and who gave it. Each address is asked once, a single one twice. */
    private ask;
    private once;
}
/**
 * An amount that is held until `settle`, `release`, or its time is over. Only its first end counts.
 * `await using hold = await budgets.reserve(…)` releases it where it was not settled.
 */
export declare class Hold {
    private readonly client;
    private readonly charged;
    private readonly place;
    /** The reservation; "" where budgetd was not there to make one. */
    readonly id: string;
    /** The position of the candidate that it is for. */
    readonly chosen: number | null;
    /** US dollars. */
    readonly reserved: number;
    /** Of the candidates before the chosen one. */
    readonly denials: Denial[];
    /** Why budgetd was not asked; null: it was. */
    readonly unavailable: string | null;
    private expires;
    private ended;
    private key;
    /** When it ends by itself. */
    get expiresAt(): number;
    /**
     * Records the cost in place of the hold, and returns the record's key. Names that are given say
     * what is charged; without any it is what was reserved.
     */
    settle(cost: number, recording?: Recording): string;
    /** Gives the amount back. Does not wait. */
    release(): void;
    /** Lasts so long from now at least; when it ends. */
    extend(ttlMs: number): Promise<number>;
    /** For `await using`. */
    [Symbol.asyncDispose](): Promise<void>;
    /** For `using`. */
    [Symbol.dispose](): void;
}
