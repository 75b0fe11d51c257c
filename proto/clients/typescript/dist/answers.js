"use strict";
// Values that go in and come out. Money is in US dollars, times are Unix milliseconds.
Object.defineProperty(exports, "__esModule", { value: true });
