import CMalloc

/// Memory that loading a configuration, or peers that did not read, used and no longer need.
enum FreedMemory {
  /// Gives it back to the system. The C library keeps what was freed in small pieces for what comes
  /// next; after a load of a million budgets that is several hundred MiB, and nothing comes.
  static func release() { malloc_trim(0) }
}

/// The process' memory as a whole.
public enum ProcessMemory {
  /// Called before there is a second thread. The C library reserves 64 MiB of addresses for the heap
  /// of each thread; under `ulimit -v 300000` those would be all there are, so all share one heap.
  public static func prepare() {
    // Larger blocks have pages of their own, which go back to the system when they are freed. Left to
    // itself the C library raises this bound to 32 MiB with the blocks it sees freed, and what grows
    // leaves holes: a million budgets took half as much memory again.
    mallopt(M_MMAP_THRESHOLD, 128 << 10)
    if MemoryLimit.ofThisProcess.isShortOfAddresses { mallopt(M_ARENA_MAX, 1) }
  }
  /// Why the process cannot serve in the memory that it may have; nil: it can.
  public static var complaint: String? { MemoryLimit.ofThisProcess.complaint }
}
