import type { Denial } from "./answers";
/** Says what a caller can do about an error. */
export declare type Kind = "denied" | "refused" | "unavailable" | "outbox_full" | "closed" | "invalid";
/** Any error of this package. */
export declare class BudgetError extends Error {
    readonly kind: Kind;
    constructor(kind: Kind, message: string);
}
/** No candidate of a reservation has room: do not send the request. */
export declare class DeniedError extends BudgetError {
    readonly denials: Denial[];
    /** How many denials there were past those. */
    readonly denialsOmitted: number;
    constructor(message: string, denials: Denial[], denialsOmitted: number);
}
/** The server answered with a status that another try does not change. */
export declare class RefusedError extends BudgetError {
    readonly code: number;
    /** The code's name: NOT_FOUND. */
    readonly codeName: string;
    constructor(code: number, message: string);
}
/** No address answered. */
export declare class UnavailableError extends BudgetError {
    readonly reason: string;
    constructor(reason: string);
}
/** As many records are owed as may be. */
export declare class OutboxFullError extends BudgetError {
    constructor(count: number);
}
/** The client was closed. */
export declare class ClosedError extends BudgetError {
    constructor();
}
/** An option or an argument is not what it has to be. */
export declare class InvalidError extends BudgetError {
    constructor(message: string);
}
