"use strict";
// Why a call has no result. The kinds and their words are those of every client: ../../README.md.
Object.defineProperty(exports, "__esModule", { value: true });
exports.systemText = exports.statusText = exports.codeName = exports.InvalidError = exports.ClosedError = exports.OutboxFullError = exports.UnavailableError = exports.RefusedError = exports.DeniedError = exports.BudgetError = void 0;
const util_1 = require("util");
/** Any error of this package. */
class BudgetError extends Error {
    kind;
    constructor(kind, message) {
        super(message);
        this.kind = kind;
        this.name = new.target.name;
    }
}
exports.BudgetError = BudgetError;
/** No candidate of a reservation has room: do not send the request. */
class DeniedError extends BudgetError {
    denials;
    /** How many denials there were past those. */
    denialsOmitted;
    constructor(message, denials, denialsOmitted) {
        super("denied", message);
        this.denials = denials;
        this.denialsOmitted = denialsOmitted;
    }
}
exports.DeniedError = DeniedError;
/** The server answered with a status that another try does not change. */
class RefusedError extends BudgetError {
    code;
    /** The code's name: NOT_FOUND. */
    codeName;
    constructor(code, message) {
        super("refused", `the server answered ${statusText(code, message)}`);
        this.code = code;
        this.codeName = codeName(code);
    }
}
exports.RefusedError = RefusedError;
/** No address answered. */
class UnavailableError extends BudgetError {
    reason;
    constructor(reason) {
        super("unavailable", `budgetd does not answer: ${reason}`);
        this.reason = reason;
    }
}
exports.UnavailableError = UnavailableError;
/** As many records are owed as may be. */
class OutboxFullError extends BudgetError {
    constructor(count) {
        super("outbox_full", `${count} records wait already, the most there may be`);
    }
}
exports.OutboxFullError = OutboxFullError;
/** The client was closed. */
class ClosedError extends BudgetError {
    constructor() { super("closed", "the client was closed"); }
}
exports.ClosedError = ClosedError;
/** An option or an argument is not what it has to be. */
class InvalidError extends BudgetError {
    constructor(message) { super("invalid", message); }
}
exports.InvalidError = InvalidError;
const CODES = [
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
    "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
    "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
];
/** @internal The name in Status.Code; of a number that has none, the number. */
function codeName(code) { return CODES[code] ?? String(code); }
exports.codeName = codeName;
/** @internal `CODE: message`, or the code alone. */
function statusText(code, message) {
    return message === "" ? codeName(code) : `${codeName(code)}: ${message}`;
}
exports.statusText = statusText;
/** @internal The system's words for an error. */
function systemText(error) {
    const of = error;
    const one = of.errors?.[0] ?? of;
    const known = one.errno === undefined ? undefined : (0, util_1.getSystemErrorMap)().get(one.errno);
    return known?.[1] ?? one.message;
}
exports.systemText = systemText;
