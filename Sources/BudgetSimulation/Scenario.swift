import BudgetEngine
import BudgetModel
import Documents
import LiteLLMConfig

/// One line of a trace: a config, and traffic with the instants at which it came.
struct Scenario {
  /// The name that results carry.
  var name: String
  /// When the service started; steps count from it.
  var start: Timestamp
  /// The config, in LiteLLM's shapes.
  var config: DocumentNode
  /// Windows that were open, or had been, with what was spent in them.
  var windows: [BudgetWindowState]
  /// Whether the steps follow, a line each, and `steps` is empty.
  var isStream: Bool
  /// The steps, in order.
  var steps: [Step]
  /// Whether the config is expected to be refused.
  var wantsConfigError: Bool
  /// Why one node without Redis cannot play it; nil: it can.
  var skipReason: String?

  /// One thing that was done.
  struct Step {
    var at: Timestamp
    var action: Action
  }

  /// The action of a step, and the result expected of it.
  enum Action {
    case record(RecordAction)
    case filter(FilterAction)
    case reserve(ReserveAction)
    /// A reservation, by its name in the trace, was given back.
    case release(String)
    /// One is to end so many milliseconds from now.
    case extend(String, milliseconds: Int64)
    case budgets(expected: DocumentNode?)
    /// An operator changed a budget.
    case change(ScenarioChange, wantsRefusal: Bool)
    /// One run of LiteLLM's background task: without Redis there is nothing to do.
    case sync
    /// Steps that are missing from the trace.
    case lost(Int)
  }

  /// A cost that was recorded.
  struct RecordAction {
    var provider: String
    var deploymentID: String
    /// The public model name; empty: it follows from the deployment.
    var modelName: String
    var tags: [String]
    /// NaN where the trace has no number.
    var cost: Double
    /// When it became spend, where it first waited for the disk: it counts all the time.
    var committedAt: Timestamp?
    var wantsRefusal: Bool
    /// The reservation that it settles, by its name in the trace; empty: none.
    var reservation: String
  }

  /// Candidates that were filtered.
  struct FilterAction {
    /// The public model name that was asked for; empty: each candidate's own.
    var modelName: String
    var candidates: [Candidate]
    var tags: [String]
    var estimate: Double
    var expected: DocumentNode?
    /// Whether any text will do where a message is expected.
    var anyMessage: Bool
  }

  /// A candidate was chosen, and something held back for it.
  struct ReserveAction {
    var filter: FilterAction
    /// Dollars for candidates without an estimate of their own; nil: what is learned.
    var amount: Double?
    /// For how long it is held.
    var ttlMilliseconds: Int64
    /// Its name in the trace.
    var id: String
  }

  /// A deployment that was offered.
  struct Candidate {
    var id: String
    var modelName: String
    var model: String
    var provider: String
    /// The provider whose budget was asked, taken as it is; empty: none. Nil: LiteLLM's rules find it.
    var resolvedProvider: String?
    /// The expected cost of a request to it, where it is given.
    var estimate: Double?
  }
}

/// Why a trace cannot be read.
public struct TraceError: Error, Sendable, CustomStringConvertible {
  /// The line of the trace, from 1.
  public let line: Int
  /// Its fault.
  public let message: String

  /// `line 3: ...`
  public var description: String { "line \(line): \(message)" }
}
