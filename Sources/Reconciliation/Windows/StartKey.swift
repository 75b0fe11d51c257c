import BudgetModel

/// What LiteLLM's start key says of a budget's window.
enum StartKey: Equatable {
  /// There is none.
  case missing
  /// A window, with its end on the store's clock.
  case window(FleetWindow)
  /// The window that it names is over, though the key is still there: it goes by itself.
  case over
  /// It was set for windows of another length, as before the budget's window was configured anew:
  /// it says nothing of this one, which is agreed on through the marker alone until the key goes.
  case otherLength
  /// It cannot be used: why. The window is then agreed on through the marker alone.
  case unusable(String)

  /// LiteLLM's hosts may be that far off with their clocks.
  private static let greatestSkewMilliseconds: Int64 = 310_000
  /// A key set in time for its start ends that near to start + length.
  private static let ordinaryDelayMilliseconds: Int64 = 2_000

  /// Whether the key's end tells that another clock, or another length, was there when it was set.
  static func isSkewed(_ window: FleetWindow, length: WindowLength) -> Bool {
    let computed = length.end(ofWindowFrom: window.start)
    let apart = abs(computed.unixMilliseconds - window.end.unixMilliseconds)
    return apart > ordinaryDelayMilliseconds
  }

  /// Reads the key's value and PTTL (-1: no end, -2: no key), both as of `now`.
  init(_ value: [UInt8]?, timeToLive: Int64, length: WindowLength, at now: Timestamp) {
    guard let value, timeToLive != -2 else {
      self = .missing
      return
    }
    guard let start = StoreNumber.instant(String(decoding: value, as: UTF8.self)) else {
      self = .unusable("its value is no time")
      return
    }
    let computed = length.end(ofWindowFrom: start)
    guard timeToLive >= 0 else {
      // Set by hand, or by something else than LiteLLM.
      self =
        computed >= now
        ? .window(FleetWindow(start: start, end: computed)) : .unusable("it has no end")
      return
    }
    let found = StoreNumber.instant(now, plus: timeToLive)
    let apart = abs(computed.unixMilliseconds - found.unixMilliseconds)
    if apart <= Self.ordinaryDelayMilliseconds {
      self = computed >= now ? .window(FleetWindow(start: start, end: computed)) : .over
      return
    }
    let whole = computed.unixMilliseconds - start.unixMilliseconds
    // No host's clock makes a key last longer than its window from the moment at which it is set.
    guard timeToLive <= whole + Self.ordinaryDelayMilliseconds,
      apart <= max(Self.greatestSkewMilliseconds, whole / 100)
    else {
      self = .otherLength
      return
    }
    // The host that wrote it has another clock; when the key goes is on the store's.
    self = .window(FleetWindow(start: start, end: found))
  }
}
