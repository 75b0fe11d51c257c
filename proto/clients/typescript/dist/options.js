"use strict";
// The options of a client.
Object.defineProperty(exports, "__esModule", { value: true });
