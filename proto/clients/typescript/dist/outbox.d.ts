import type { Stats } from "./answers";
import type { Link } from "./link";
import type { Settings } from "./settings";
export declare class Outbox {
    private readonly settings;
    private readonly stats;
    owed: number;
    private readonly lanes;
    private readonly journal;
    private called;
    private timer;
    private orphans;
    private adopting;
    private idle;
    private closed;
    constructor(links: Link[], settings: Settings, stats: Stats);
    /** A record, best sent to the address at `place`. */
    record(key: string, request: Buffer, place: number): void;
    /** A release: only that address knows the hold, and after `until` nobody does. */
    release(request: Buffer, place: number, until: number): void;
    private note;
    private take;
    private wake;
    /** Sends what may be sent now, and sees to it that it is called for the rest. */
    private pump;
    /** Lets go to a lane without a pause what one in a pause has never sent. */
    private move;
    private send;
    private answered;
    private again;
    private ended;
    private end;
    /** Takes over what processes that are no more have left, now and every minute. */
    private adopt;
    private inherit;
    /** Waits until nothing is owed; how many records still are. */
    flush(timeoutMs?: number): Promise<number>;
    close(): void;
}
