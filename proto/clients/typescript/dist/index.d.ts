export type { Answer, Budget, Budgets, BudgetsWanted, Candidate, Charged, Denial, Pong, Stats, } from "./answers";
export type { FilterOptions, Recording, Reservation } from "./client";
export { Client, Hold, newKey } from "./client";
export type { Kind } from "./errors";
export { BudgetError, ClosedError, DeniedError, InvalidError, OutboxFullError, RefusedError, UnavailableError, } from "./errors";
export type { Options } from "./options";
