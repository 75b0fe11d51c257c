import BudgetModel
import RedisStore

/// What a budget's marker says of windows.
struct MarkerHead: Equatable {
  var window: FleetWindow
  /// The window that was still open when this one took its place.
  var replaced: Timestamp?
  /// Windows that end by then were ended by an operator's reset.
  var resetUntil: Timestamp?

  /// The fields to ask for, in the order in which `init` takes them.
  static let fields = ["w", "fin", "prev", "rf"]

  /// Reads HMGET's reply; nil: there is no marker, or it makes no sense.
  init?(_ reply: RedisValue) {
    guard let values = reply.array, values.count == Self.fields.count else { return nil }
    func instant(_ value: RedisValue) -> Timestamp? {
      value.bytes.flatMap { StoreNumber.milliseconds(String(decoding: $0, as: UTF8.self)) }
    }
    guard let start = instant(values[0]), let end = instant(values[1]) else { return nil }
    window = FleetWindow(start: start, end: end)
    replaced = instant(values[2])
    resetUntil = instant(values[3])
  }
}
