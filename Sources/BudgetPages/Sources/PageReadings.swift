public import BudgetModel
public import SpendLedger

/// Counts of the requests since the start of the server, and of its answers.
public struct RequestReading: Sendable {
  /// One method's answers.
  public struct Method: Sendable {
    /// Its name in the contract's service.
    public var name: String
    /// How often it was answered with which status: those that are shown.
    public var answers: [(status: String, count: Int)]
    /// How long its answers took; nil where this build does not serve it.
    public var durations: Histogram?

    /// Makes a method's answers.
    public init(name: String, answers: [(status: String, count: Int)], durations: Histogram?) {
      self.name = name
      self.answers = answers
      self.durations = durations
    }
  }

  /// Names that can match no budget, of one field and with one fault.
  public struct UnusableNames: Sendable {
    /// The field that has them.
    public var field: String
    /// The fault that they share.
    public var reason: String
    /// How many there were.
    public var count: Int

    /// Makes a count.
    public init(field: String, reason: String, count: Int) {
      self.field = field
      self.reason = reason
      self.count = count
    }
  }

  /// All methods, in the contract's order.
  public var methods: [Method] = []
  /// Findings that kept a candidate out, in the order of `BudgetScope.allCases`.
  public var denials = Array(repeating: 0, count: BudgetScope.allCases.count)
  /// Findings that replies left out.
  public var denialsOmitted = 0
  /// Replies that left some out.
  public var repliesShortened = 0
  /// Providers in requests that are others than the model list's.
  public var contradictions = 0
  /// By field and fault, each of them, also where there were none.
  public var unusableNames: [UnusableNames] = []
  /// Models for which no rule names a provider.
  public var unresolvedModels = 0
  /// Records whose names have no budget.
  public var unbudgetedRecords = 0

  /// Nothing was asked.
  public init() {}

  /// All answers.
  public var requests: Int {
    methods.reduce(0) { sum, method in method.answers.reduce(sum) { $0 + $1.count } }
  }
}

/// The outcomes of records since the start.
public struct SpendReading: Sendable {
  /// Costs that were recorded, each record once.
  public var recorded = PicoUSD.zero
  /// Of these, costs that no budget was charged with.
  public var unbudgeted = PicoUSD.zero
  /// Of all of them, costs that came without an open reservation.
  public var unreserved = PicoUSD.zero
  /// Records that were recorded.
  public var records: UInt64 = 0
  /// Records whose key was known with the same fields.
  public var duplicates: UInt64 = 0
  /// Records whose key was known with other fields.
  public var mismatches: UInt64 = 0
  /// Records refused for the time in their key.
  public var outOfRange: UInt64 = 0
  /// Records that definitely failed.
  public var refused: UInt64 = 0
  /// Records whose commit ended in doubt.
  public var unknown: UInt64 = 0

  /// Nothing was recorded.
  public init() {}
}

/// How the ledger is.
public struct LedgerReading: Sendable {
  /// Counts of its work.
  public var counters = LedgerCounters()
  /// Whether it records.
  public var state = LedgerState.ready
  /// Whether spend can be recorded now: it records, and its queue has room.
  public var isWritable = true
  /// How long the oldest record that is not on disk has waited.
  public var lag = Duration.zero
  /// How many idempotency keys it remembers at most.
  public var keyBound = 0
  /// How far back it remembers them.
  public var keyMemoryMilliseconds: Int64 = 0

  /// An idle one.
  public init() {}
}

/// Whether the node should get traffic, and what people should look at.
public struct NodeReading: Sendable {
  /// Fleet time beside this host's wall clock.
  public struct Clocks: Sendable {
    /// Fleet time less the wall clock, in milliseconds.
    public var aheadMilliseconds: Int64
    /// How often they have come apart.
    public var timesApart: Int

    /// Makes a reading.
    public init(aheadMilliseconds: Int64, timesApart: Int) {
      self.aheadMilliseconds = aheadMilliseconds
      self.timesApart = timesApart
    }
  }

  /// How the last reading of the configuration went.
  public struct Config: Sendable {
    /// Its path.
    public var path: String
    /// When one was last accepted.
    public var acceptedAt: Timestamp
    /// The fault of the last one; nil: it was accepted.
    public var refusal: String?

    /// Makes a reading.
    public init(path: String, acceptedAt: Timestamp, refusal: String? = nil) {
      self.path = path
      self.acceptedAt = acceptedAt
      self.refusal = refusal
    }
  }

  /// Why it should not, the most important first; empty: it is ready.
  public var notReadyReasons: [String] = []
  /// Matters that people should look at though the node is ready.
  public var warnings: [String] = []
  /// Nil: nobody looks at the clocks.
  public var clocks: Clocks?
  /// The configuration.
  public var config: Config

  /// A node that is ready.
  public init(config: Config) { self.config = config }

  /// Whether it should get traffic.
  public var isReady: Bool { notReadyReasons.isEmpty }
}

/// Who may do what, and what came of it.
public struct AccessReading: Sendable {
  /// How many clients the access file has; 0: there is none, and everybody may do everything.
  public var clients = 0
  /// How often somebody was turned away, by reason, each of them.
  public var refusals: [(reason: String, count: Int)] = []
  /// How often something was done that is written down, by what, each of them.
  public var audited: [(action: String, count: Int)] = []

  /// Nothing has happened.
  public init() {}
}

/// Alerts to the webhook since the start.
public struct AlertCounts: Equatable, Sendable {
  /// Those that this node has delivered.
  public var sent = 0
  /// Attempts that failed.
  public var failed = 0
  /// Those whose window was over before one succeeded.
  public var droppedForTime = 0
  /// Those that nobody tries any more.
  public var droppedForAttempts = 0
  /// Those that wait, for whichever node of the fleet.
  public var waiting = 0

  /// Nobody was told anything.
  public init() {}
}

/// A trace so far.
public struct TraceReading: Sendable {
  /// Steps that were written.
  public var written: UInt64
  /// Steps that are missing.
  public var lost: UInt64

  /// Makes a reading.
  public init(written: UInt64, lost: UInt64) {
    self.written = written
    self.lost = lost
  }
}

/// How connections are encrypted.
public struct SecurityReading: Sendable {
  /// When the certificates end, in Unix seconds, by their use: `server`, `client_ca`.
  public var ends: [(use: String, seconds: Int64)] = []
  /// Handshakes that came to an end, by port and result.
  public var handshakes: [(port: String, result: String, count: UInt64)] = []
  /// Connections whose peer ended without a goodbye.
  public var cuts: UInt64 = 0

  /// Makes an empty reading.
  public init() {}
}
