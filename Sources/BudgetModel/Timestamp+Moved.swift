extension Timestamp {
  /// The same instant on another clock: `here` on the one is `there` on the other.
  public func moved(from here: Timestamp, to there: Timestamp) -> Timestamp {
    let moved =
      Int128(unixMilliseconds) + Int128(there.unixMilliseconds) - Int128(here.unixMilliseconds)
    return Timestamp(unixMilliseconds: Int64(clamping: moved))
  }
}
