public import BudgetModel

/// A question about the windows of one budget and their spend.
public struct HistoryQuestion: Hashable, Sendable {
  /// Whose windows.
  public var key: BudgetKey
  /// Whose limits were in force in them: the pattern's, of a budget that a name has by one.
  public var limitKey: BudgetKey
  /// Only windows that began before this; nil: the newest.
  public var before: Timestamp?
  /// So many at most, `bound` at most.
  public var count: Int

  /// One question asks for so many windows at most.
  public static let bound = 128

  /// Asks for the newest windows.
  public init(
    _ key: BudgetKey, limitKey: BudgetKey? = nil, before: Timestamp? = nil, count: Int
  ) {
    self.key = key
    self.limitKey = limitKey ?? key
    self.before = before
    self.count = min(max(count, 0), Self.bound)
  }
}

/// One window of a budget as the ledger remembers it, open or over.
public struct PastWindow: Equatable, Sendable {
  /// Its borders.
  public var window: Window
  /// The spend that all lives of this node have recorded in it, committed.
  public var own: PicoUSD
  /// Others' spend in it, as this node heard last; nil: it heard nothing of a fleet.
  public var others: PicoUSD?
  /// The limit in force at its end.
  public var limit: LimitInForce

  /// Everything that is known to have been spent in it.
  public var spend: PicoUSD { own + (others ?? .zero) }

  /// Makes a window.
  public init(window: Window, own: PicoUSD, others: PicoUSD?, limit: LimitInForce) {
    self.window = window
    self.own = own
    self.others = others
    self.limit = limit
  }
}

/// The limit of a budget at some time.
public enum LimitInForce: Hashable, Sendable {
  /// Nobody noted it.
  case unknown
  /// There was no limit.
  case unlimited
  /// The limit.
  case limit(PicoUSD)

  /// A limit as policies have it; nil: unlimited.
  public init(_ limit: PicoUSD?) { self = limit.map { .limit($0) } ?? .unlimited }
}

/// The limit of a budget from now on.
public struct NotedLimit: Hashable, Sendable {
  /// Whose; a pattern's key too.
  public var key: BudgetKey
  /// Nil: unlimited.
  public var limit: PicoUSD?

  /// Makes a note.
  public init(_ key: BudgetKey, _ limit: PicoUSD?) {
    self.key = key
    self.limit = limit
  }
}

/// A budget's place in the configuration in force: how long its windows are remembered.
public enum BudgetPlace: Hashable, Sendable {
  /// An entry names it.
  case entry
  /// A name has it by a pattern.
  case pattern
  /// Nothing names it any more.
  case none
}

/// How long the windows of one budget are remembered after their end.
struct WindowRetention: Equatable {
  /// Windows that ended before may go,
  let ended: Int64
  /// but the newest so many stay.
  let kept: Int

  init(_ place: BudgetPlace, windowText: String, _ settings: LedgerSettings, at now: Timestamp) {
    let retention = place == .pattern ? settings.dynamicRetention : settings.windowRetention
    var milliseconds = retention.milliseconds
    // Windows follow each other no faster than they are long: short ones are bounded in number.
    if let rule = try? WindowRule(text: windowText), case .seconds(let length)? = rule.rollingLength
    {
      let most = Int128(length) * 1_000 * Int128(settings.windowsKeptAtMost)
      milliseconds = Int64(min(Int128(milliseconds), most))
    }
    ended = now.unixMilliseconds - milliseconds
    kept = place == .entry ? settings.windowsKept : 0
  }

  /// No window goes sooner after its end, in milliseconds.
  static func shortest(_ settings: LedgerSettings) -> Int64 {
    min(
      settings.windowRetention.milliseconds, settings.dynamicRetention.milliseconds,
      Int64(settings.windowsKeptAtMost) * 1_000)
  }
}
