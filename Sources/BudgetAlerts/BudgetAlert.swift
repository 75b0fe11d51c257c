public import BudgetModel
import Digest

/// One fact about one window of one budget that operators are told once.
public struct BudgetAlert: Hashable, Sendable {
  /// The kind of fact.
  public enum Kind: Hashable, Sendable {
    /// So many percent of the limit are spent.
    case reached(percent: Int)
    /// At the present rate the money will be gone soon.
    case runsOut
  }

  /// The kind of fact.
  public var kind: Kind
  /// The name of the fleet.
  public var fleet: String
  /// The state of the budget when it was seen.
  public var budget: AlertReading
  /// When it was seen, fleet time.
  public var seenAt: Timestamp

  /// Makes an alert.
  public init(_ kind: Kind, of budget: AlertReading, in fleet: String, seenAt: Timestamp) {
    self.kind = kind
    self.fleet = fleet
    self.budget = budget
    self.seenAt = seenAt
  }

  /// The same for every node of the fleet and every delivery: 32 hexadecimal digits, made of the fleet's
  /// name, the budget, its window, the kind and the limit. A raised limit that is reached again is
  /// another alert.
  public var id: String { Self.digest(familyFields + [budget.limit.exactText]) }

  /// As `id`, whatever the limit is.
  public var family: String { Self.digest(familyFields) }

  private var familyFields: [String] {
    let key = budget.key
    return [
      fleet, key.scope.description, key.name, key.windowText,
      "\(budget.window.start.unixMilliseconds)", kind.word,
    ]
  }

  private static func digest(_ fields: [String]) -> String {
    // No field has a line feed in it.
    String(SHA256Digest.hexadecimal(of: fields.joined(separator: "\n")).prefix(32))
  }
}

extension BudgetAlert.Kind {
  /// In one word: `80`, `runs_out`.
  var word: String {
    switch self {
    case .reached(let percent): "\(percent)"
    case .runsOut: "runs_out"
    }
  }
}

/// A budget with an open window, as it is at one look.
public struct AlertReading: Hashable, Sendable {
  /// Which budget.
  public var key: BudgetKey
  /// Its open window.
  public var window: Window
  /// Its limit, the one in force.
  public var limit: PicoUSD
  /// The fleet's spend in the window, committed.
  public var spend: PicoUSD
  /// The budget's mode at its limit.
  public var mode = BudgetMode.enforce
  /// Whether its name has it from a pattern.
  public var isDynamic = false
  /// When the money will be gone at its present rate; nil: not before the window ends, or not known.
  public var runsOutAt: Timestamp?

  /// Makes a reading.
  public init(key: BudgetKey, window: Window, limit: PicoUSD, spend: PicoUSD) {
    self.key = key
    self.window = window
    self.limit = limit
    self.spend = spend
  }

  /// Whether that part of the limit is spent. Of a limit of 0 each part is, once anything is.
  public func hasReached(percent: Int) -> Bool { Self.has(spend, reached: percent, of: limit) }

  /// Whether `spend` is that part of `limit` at least.
  public static func has(_ spend: PicoUSD, reached percent: Int, of limit: PicoUSD) -> Bool {
    // Both are below 10^28, so that neither product overflows.
    spend > .zero && spend.pico * 100 >= limit.pico * Int128(percent)
  }

  /// The part that is spent in percent, rounded down; nil: the limit is 0.
  public var percent: Int? {
    limit > .zero ? Int(clamping: spend.pico * 100 / limit.pico) : nil
  }
}
