"use strict";
// The client of budgetd. README.md has the first request.
Object.defineProperty(exports, "__esModule", { value: true });
exports.UnavailableError = exports.RefusedError = exports.OutboxFullError = exports.InvalidError = exports.DeniedError = exports.ClosedError = exports.BudgetError = exports.newKey = exports.Hold = exports.Client = void 0;
var client_1 = require("./client");
Object.defineProperty(exports, "Client", { enumerable: true, get: function () { return client_1.Client; } });
Object.defineProperty(exports, "Hold", { enumerable: true, get: function () { return client_1.Hold; } });
Object.defineProperty(exports, "newKey", { enumerable: true, get: function () { return client_1.newKey; } });
var errors_1 = require("./errors");
Object.defineProperty(exports, "BudgetError", { enumerable: true, get: function () { return errors_1.BudgetError; } });
Object.defineProperty(exports, "ClosedError", { enumerable: true, get: function () { return errors_1.ClosedError; } });
Object.defineProperty(exports, "DeniedError", { enumerable: true, get: function () { return errors_1.DeniedError; } });
Object.defineProperty(exports, "InvalidError", { enumerable: true, get: function () { return errors_1.InvalidError; } });
Object.defineProperty(exports, "OutboxFullError", { enumerable: true, get: function () { return errors_1.OutboxFullError; } });
Object.defineProperty(exports, "RefusedError", { enumerable: true, get: function () { return errors_1.RefusedError; } });
Object.defineProperty(exports, "UnavailableError", { enumerable: true, get: function () { return errors_1.UnavailableError; } });
