import BudgetModel
import RedisStore

/// One call of the spend script: this node's totals of one window.
struct MergeCall {
  /// One origin's part.
  struct Part: Hashable {
    var origin: String
    var cumulative: PicoUSD
    var confirmed: PicoUSD
  }

  /// More go into further calls: Lua passes that many values on its stack.
  static let maximumParts = 256

  var window: Window
  /// The window's length on the store's clock, in milliseconds.
  var length: Int64
  /// The spend key when the store last confirmed something of this node's; zero: it never has.
  var highest: PicoUSD
  /// Whether the spend key's late end was looked into, and the start key stayed as it was.
  var isForced: Bool
  /// Whether an operator's reset has begun the window.
  var isOfReset = false
  /// A random word, kept in the marker if this call makes it.
  var epoch: String
  var parts: [Part]
  /// The node's claim beyond this spend; nil: the call claims nothing.
  var claim: ClaimCall?

  func scriptCall(spendKey: [UInt8], markKey: [UInt8]) -> RedisScriptCall {
    var words = [
      "SYNC", "\(window.start.unixMilliseconds)", "\(window.end.unixMilliseconds)", "\(length)",
      epoch, highest.exactText, flags,
    ]
    var keys = [spendKey, markKey]
    if let claim {
      keys.append(RedisKeys.claimsKey(besideMark: markKey))
      words += claim.words
    }
    for part in parts {
      words.append(part.origin)
      words.append(part.cumulative.twelveDecimals)
      words.append(part.confirmed.twelveDecimals)
    }
    return RedisScriptCall(keys: keys, arguments: words.map { Array($0.utf8) })
  }

  /// `-`, or a letter for each that is so.
  private var flags: String {
    let flags = (isForced ? "F" : "") + (isOfReset ? "R" : "")
    return flags.isEmpty ? "-" : flags
  }
}

/// The spend script's answer. A reply of another shape is not an answer.
struct MergeReply: Equatable {
  /// The outcome of the call.
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
    /// The reset that began the window is not there any more. Nothing was written.
    case unreset = "UNRESET"
  }

  var outcome: Outcome
  /// The window that the marker holds, or the one asked for where there is none.
  var window: Window
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
  /// The marker's total of each origin asked for, in their order.
  var stored: [PicoUSD]
  /// The claims, where the call claimed something and its window was agreed on.
  var claim: ClaimReply?

  /// Reads a reply; nil: it has another shape. `claimsAfter`: the number of the call's parts, where it
  /// had claims.
  init?(_ value: RedisValue, claimsAfter parts: Int? = nil) {
    guard let fields = value.array, fields.count >= 10 else { return nil }
    var texts = fields.compactMap { $0.bytes.map { String(decoding: $0, as: UTF8.self) } }
    guard texts.count == fields.count, let outcome = Outcome(rawValue: texts[0]),
      let start = StoreNumber.milliseconds(texts[1]), let end = StoreNumber.milliseconds(texts[2]),
      let now = StoreNumber.milliseconds(texts[7]),
      let sum = PicoUSD(twelveDecimals: texts[6]), let added = PicoUSD(twelveDecimals: texts[9])
    else { return nil }
    self.outcome = outcome
    window = Window(start: start, end: end)
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
    // Told by their number: a call whose window was not agreed on has left no claim.
    if let parts, texts.count == 10 + parts + ClaimReply.fields {
      guard let claim = ClaimReply(texts.suffix(ClaimReply.fields)) else { return nil }
      self.claim = claim
      texts.removeLast(ClaimReply.fields)
    }
    stored = []
    for text in texts.dropFirst(10) {
      guard let amount = PicoUSD(twelveDecimals: text) else { return nil }
      stored.append(amount)
    }
  }
}

extension MergeReply {
  /// Reads the reply to `call`. One of many calls at once is answered with the spend key's value
  /// alone where the marker has all that was sent.
  static func read(_ value: RedisValue, to call: MergeCall) -> MergeReply? {
    if value.bytes != nil { return MergeReply(total: value, to: call) }
    return MergeReply(value, claimsAfter: call.claim.map { _ in call.parts.count })
  }

  private init?(total value: RedisValue, to call: MergeCall) {
    guard let part = call.parts.first, call.parts.count == 1,
      let total = value.bytes.flatMap({ StoreNumber.amount(String(decoding: $0, as: UTF8.self)) })
    else { return nil }
    outcome = .merged
    window = call.window
    self.total = total
    sum = part.cumulative
    now = call.window.start
    added = max(.zero, part.cumulative - part.confirmed)
    stored = [part.cumulative]
  }
}

extension PicoUSD {
  /// `dollars.pppppppppppp`, as the script and the marker have it. Precondition: not negative.
  var twelveDecimals: String {
    precondition(self >= .zero, "totals are not negative")
    let (whole, rest) = pico.magnitude.quotientAndRemainder(dividingBy: UInt128(Self.picoPerDollar))
    let digits = String(rest)
    return "\(whole)." + String(repeating: "0", count: Self.decimals - digits.count) + digits
  }

  /// Reads what `twelveDecimals` writes, at most 24 digits of dollars; nil for anything else.
  init?(twelveDecimals text: String) {
    let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 2, parts[1].count == Self.decimals, (1...24).contains(parts[0].count)
    else { return nil }
    var pico: Int128 = 0
    for digit in [parts[0], parts[1]].joined() {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
      pico = pico * 10 + Int128(digit - UInt8(ascii: "0"))
    }
    self.init(pico: pico)
  }
}
