// Why a call has no result. The kinds and their words are those of every client: ../../README.md.

import { getSystemErrorMap } from "util";
import type { Denial } from "./answers";

/** Says what a caller can do about an error. */
export type Kind = "denied" | "refused" | "unavailable" | "outbox_full" | "closed" | "invalid";

/** Any error of this package. */
export class BudgetError extends Error {
  readonly kind: Kind;

  constructor(kind: Kind, message: string) {
    super(message);
    this.kind = kind;
    this.name = new.target.name;
  }
}

/** No candidate of a reservation has room: do not send the request. */
export class DeniedError extends BudgetError {
  readonly denials: Denial[];
  /** How many denials there were past those. */
  readonly denialsOmitted: number;

  constructor(message: string, denials: Denial[], denialsOmitted: number) {
    super("denied", message);
    this.denials = denials;
    this.denialsOmitted = denialsOmitted;
  }
}

/** The server answered with a status that another try does not change. */
export class RefusedError extends BudgetError {
  readonly code: number;
  /** The code's name: NOT_FOUND. */
  readonly codeName: string;

  constructor(code: number, message: string) {
    super("refused", `the server answered ${statusText(code, message)}`);
    this.code = code;
    this.codeName = codeName(code);
  }
}

/** No address answered. */
export class UnavailableError extends BudgetError {
  readonly reason: string;

  constructor(reason: string) {
    super("unavailable", `budgetd does not answer: ${reason}`);
    this.reason = reason;
  }
}

/** As many records are owed as may be. */
export class OutboxFullError extends BudgetError {
  constructor(count: number) {
    super("outbox_full", `${count} records wait already, the most there may be`);
  }
}

/** The client was closed. */
export class ClosedError extends BudgetError {
  constructor() { super("closed", "the client was closed"); }
}

/** An option or an argument is not what it has to be. */
export class InvalidError extends BudgetError {
  constructor(message: string) { super("invalid", message); }
}

const CODES = [
  "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
  "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
  "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
];

/** @internal The name in Status.Code; of a number that has none, the number. */
export function codeName(code: number): string { return CODES[code] ?? String(code); }

/** @internal `CODE: message`, or the code alone. */
export function statusText(code: number, message: string): string {
  return message === "" ? codeName(code) : `${codeName(code)}: ${message}`;
}

/** @internal The system's words for an error. */
export function systemText(error: unknown): string {
  const of = error as SystemError;
  const one = of.errors?.[0] ?? of;
  const known = one.errno === undefined ? undefined : getSystemErrorMap().get(one.errno);
  return known?.[1] ?? one.message;
}
