import BudgetEngine
import BudgetModel
import SpendLedger

/// An event of the traffic; events have the order in which they were taken in.
enum TraceEvent: Sendable {
  /// A configuration and its windows: a scenario of its own from here on.
  case begin(TraceState)
  case filter(TracedFilter, at: Timestamp)
  /// A reservation was given back, or is to end so many milliseconds from now.
  case release(String, at: Timestamp)
  case extend(String, milliseconds: Int64, at: Timestamp)
  /// A cost that may yet turn out to be a duplicate, or not to be recorded.
  case record(TracedRecord, token: LedgerToken, at: Timestamp)
  /// The outcome of a record: when its spend counted as spent; nil: nothing was added.
  case settled(LedgerToken, recordedAt: Timestamp?)

  /// About how much memory it takes.
  var byteCount: Int {
    switch self {
    case .begin: 0
    case .settled: 64
    case .release(let id, _), .extend(let id, _, _): 64 + id.utf8.count
    case .filter(let filter, _):
      256 + (filter.message?.utf8.count ?? 0) + Self.count(filter.tags)
        + filter.candidates.reduce(0) {
          $0 + 128 + $1.id.utf8.count + $1.modelName.utf8.count + $1.model.utf8.count
        }
    case .record(let record, _, _):
      256 + record.provider.utf8.count + record.deploymentID.utf8.count
        + record.modelName.utf8.count + Self.count(record.tags)
    }
  }

  private static func count(_ texts: [String]) -> Int {
    texts.reduce(0) { $0 + 32 + $1.utf8.count }
  }
}

/// The state of the budgets when a scenario begins.
struct TraceState: Sendable {
  var catalog: BudgetCatalog
  var windows: [BudgetWindowState]
  var at: Timestamp
}

/// Candidates that were filtered, and the answer.
struct TracedFilter: Sendable {
  /// The public model name that was asked for; empty: each candidate's own.
  var modelName = ""
  /// The candidates, each with the provider whose budget was asked.
  var candidates: [ConfiguredDeployment]
  var tags: [String]
  var estimate: PicoUSD
  /// Positions of those allowed.
  var allowed: [UInt32]
  /// The text where every candidate was over budget.
  var message: String?
  /// If one was chosen, or none had room: what was to be held.
  var reserve: TracedReserve?
}

/// A candidate that was chosen, and what is held for it.
struct TracedReserve: Sendable {
  /// The reservation's; nil: none was made.
  var id: String?
  /// The chosen candidate's position.
  var chosen: UInt32?
  var ttlMilliseconds: Int64
  /// Of each candidate.
  var amounts: [PicoUSD]
}

/// A cost, and whose it is.
struct TracedRecord: Sendable {
  /// The provider that it is charged to, given or derived; empty: none.
  var provider: String
  var deploymentID: String
  /// The public model name that was asked for; empty: it follows from the deployment.
  var modelName = ""
  var tags: [String]
  var cost: PicoUSD
  /// The reservation that it settles; empty: none.
  var reservation = ""
}
