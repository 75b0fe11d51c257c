/** CRC-32, which zlib has from Node 22.2 on only. */
export declare function crc32(bytes: Uint8Array): number;
/** A record as a journal has it: the address that may have it, and its Request. */
export interface Note {
    address: string;
    request: Buffer;
}
/** The records that a file owes, by key, in the order in which it was written. */
export declare function readJournal(data: Buffer): Map<string, Note>;
/** This client's file in the folder, and orphans' files. */
export declare class Journal {
    private readonly folder;
    private readonly log;
    private readonly name;
    private readonly lock;
    private readonly owed;
    /** Keys of what the disk did not take yet: written before anything else. */
    private readonly unwritten;
    private file;
    private owedBytes;
    private bytes;
    /** The file is written anew when it has more bytes. */
    private rewriteAbove;
    private adopted;
    /** Orphans' files whose records are not all in this client's file yet. */
    private kept;
    private failing;
    constructor(folder: string, log: (message: string) => void);
    private path;
    private newFile;
    /** Notes a record before it is sent, and again where it goes to another address. */
    owe(key: string, note: Note): void;
    /** Notes that a record is answered. */
    done(key: string): void;
    /** What is not in the file yet, as far as the disk takes it. */
    private writeOut;
    /** Everything that is owed is in the file. */
    private wroteAll;
    private append;
    /** The file without what is done. Its name stays: the socket is the lock, not the file. */
    private rewrite;
    private writing;
    /** Takes over the journals that nobody owns: each one's file, and what it owes. */
    orphans(): Promise<{
        path: string;
        owed: Map<string, Note>;
    }[]>;
    private lives;
    /**
     * Removes an orphan's file, whose records are all owed here: once they are written here. The end of
     * this process makes it an orphan again.
     */
    forget(path: string): void;
    /** The file stays if it owes something: whoever starts here next sends it. */
    close(): void;
}
