import BudgetModel
import RedisStore

/// A budget's window as LiteLLM's start key has it.
///
/// The start names a window, the end orders windows. The start is the key's value cut to milliseconds:
/// the clock of whichever host wrote it, never compared with anything but itself. The end is the last
/// instant that belongs to the window, on the store's clock.
enum StartKey: Equatable {
  /// There is none.
  case missing
  /// A window, with its end on the store's clock.
  case window(Window)
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
  static func isSkewed(_ window: Window, length: WindowLength) -> Bool {
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
      self = .unusable("its value is not a time")
      return
    }
    let computed = length.end(ofWindowFrom: start)
    guard timeToLive >= 0 else {
      // Set by hand, or by something else than LiteLLM.
      self =
        computed >= now
        ? .window(Window(start: start, end: computed)) : .unusable("it has no end")
      return
    }
    let found = StoreNumber.instant(now, plus: timeToLive)
    let apart = abs(computed.unixMilliseconds - found.unixMilliseconds)
    if apart <= Self.ordinaryDelayMilliseconds {
      self = computed >= now ? .window(Window(start: start, end: computed)) : .over
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
    self = .window(Window(start: start, end: found))
  }
}

/// The windows in a budget's marker.
struct MarkerHead: Equatable {
  var window: Window
  /// The window that was still open when this one took its place.
  var replaced: Timestamp?
  /// Windows that end by then were ended by an operator's reset.
  var resetUntil: Timestamp?
  /// The window that the last reset began.
  var resetStart: Timestamp?

  /// The fields to ask for, in the order in which `init` takes them.
  static let fields = ["w", "fin", "prev", "rf", "ra"]

  /// Reads HMGET's reply; nil: there is no marker, or it makes no sense.
  init?(_ reply: RedisValue) {
    guard let values = reply.array, values.count == Self.fields.count else { return nil }
    func instant(_ value: RedisValue) -> Timestamp? {
      value.bytes.flatMap { StoreNumber.milliseconds(String(decoding: $0, as: UTF8.self)) }
    }
    guard let start = instant(values[0]), let end = instant(values[1]) else { return nil }
    window = Window(start: start, end: end)
    replaced = instant(values[2])
    resetUntil = instant(values[3])
    resetStart = instant(values[4])
  }
}
