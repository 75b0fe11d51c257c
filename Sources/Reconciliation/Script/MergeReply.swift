import BudgetModel
import RedisStore

/// What the spend script answered. Anything of another shape is no answer.
struct MergeReply: Equatable {
  /// What became of the call.
  enum Outcome: String {
    /// Merged; possibly nothing was new.
    case merged = "OK"
    /// Merged, and the marker was made.
    case new = "NEW"
    /// Merged; the marker had been lost and the spend key had not.
    case markerLost = "MLOST"
    /// Merged; the spend key had been deleted or overwritten, and was mended.
    case spendKeyLost = "KLOST"
    /// The window is over, or another one has taken its place. Nothing was written.
    case stale = "STALE"
    /// The spend key is still the finished window's and about to expire. Nothing was written.
    case waiting = "WAIT"
    /// The spend key ends later than the window does. Nothing was written.
    case foreign = "FOREIGN"
    /// Merged into the marker alone: too near the window's end to make a spend key.
    case ending = "ENDING"
    /// An operator's reset was done.
    case reset = "RESET"
  }

  var outcome: Outcome
  /// The window that the marker holds, or the one asked for where there is none.
  var window: FleetWindow
  /// The open window that the marker's window replaced.
  var replaced: Timestamp?
  /// Windows that end by then were ended by an operator's reset.
  var resetUntil: Timestamp?
  /// The spend key's value; nil where there is none.
  var total: PicoUSD?
  /// The sum of all origins.
  var sum: PicoUSD
  /// The store's clock.
  var now: Timestamp
  /// How much was added to the spend key.
  var added: PicoUSD
  /// What the marker holds of each origin asked for, in their order.
  var stored: [PicoUSD]

  /// Reads a reply; nil: it is none.
  init?(_ value: RedisValue) {
    guard let fields = value.array, fields.count >= 10 else { return nil }
    let texts = fields.compactMap { $0.bytes.map { String(decoding: $0, as: UTF8.self) } }
    guard texts.count == fields.count, let outcome = Outcome(rawValue: texts[0]),
      let start = StoreNumber.milliseconds(texts[1]), let end = StoreNumber.milliseconds(texts[2]),
      let now = StoreNumber.milliseconds(texts[7]),
      let sum = PicoUSD(twelveDecimals: texts[6]), let added = PicoUSD(twelveDecimals: texts[9])
    else { return nil }
    self.outcome = outcome
    window = FleetWindow(start: start, end: end)
    replaced = StoreNumber.milliseconds(texts[3])
    resetUntil = StoreNumber.milliseconds(texts[4])
    if texts[5].isEmpty {
      total = nil
    } else {
      guard let amount = StoreNumber.amount(texts[5]) else { return nil }
      total = amount
    }
    self.sum = sum
    self.now = now
    self.added = added
    stored = []
    for text in texts.dropFirst(10) {
      guard let amount = PicoUSD(twelveDecimals: text) else { return nil }
      stored.append(amount)
    }
  }
}
