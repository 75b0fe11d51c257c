import CMalloc

/// Memory that loading a configuration used and no longer needs.
enum FreedMemory {
  /// Gives it back to the system. The C library keeps what was freed in small pieces for what comes
  /// next; after a load of a million budgets that is several hundred MiB, and nothing comes.
  static func release() { malloc_trim(0) }
}
