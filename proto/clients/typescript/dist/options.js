"use strict";
// What a client may be told.
Object.defineProperty(exports, "__esModule", { value: true });
