"use strict";
// What goes in and comes out. Money is in US dollars, times are Unix milliseconds.
Object.defineProperty(exports, "__esModule", { value: true });
