public import BudgetModel

/// Writes the sentences that LiteLLM gives when every candidate is over budget.
///
/// One sentence a finding, each ended by a newline, behind the prefix; numbers as Python prints
/// them. Where the text would grow past its bound, it ends with how many sentences are missing.
public struct DenialText: Sendable {
  /// What LiteLLM's text starts with; routers look for its first words.
  public static let prefix = "No deployments available - crossed budget: "

  /// The candidate that a sentence speaks of, as the request named it.
  public struct Candidate {
    /// The candidate's id.
    public var id: NameBytes
    /// Its model group.
    public var modelName: NameBytes
    /// Its `litellm_params.model`.
    public var model: NameBytes

    /// Makes a candidate from its names.
    public init(id: NameBytes, modelName: NameBytes, model: NameBytes) {
      self.id = id
      self.modelName = modelName
      self.model = model
    }
  }

  /// The text so far, UTF-8.
  public private(set) var bytes: [UInt8]
  private let maximumBytes: Int
  private var omitted: Int = 0

  /// Room kept for the line that counts what is missing.
  private static let roomForCount = 40

  /// Starts a text of at most `maximumBytes`.
  public init(maximumBytes: Int) {
    precondition(maximumBytes >= Self.prefix.utf8.count + Self.roomForCount)
    self.maximumBytes = maximumBytes
    bytes = Array(Self.prefix.utf8)
  }

  /// Adds the sentence for one finding. `estimate` is the request's; `name` the budget's.
  public mutating func add(
    _ denial: Denial, name: String, candidate: Candidate, estimate: PicoUSD
  ) {
    guard omitted == 0 else {
      omitted += 1
      return
    }
    let before = bytes.count
    let isEstimate = denial.spend < denial.limit
    append(isEstimate ? "Would exceed" : "Exceeded")
    let spend = denial.spend.pythonText
    let limit = denial.limit.pythonText
    let comparison =
      isEstimate ? ": \(spend) + \(estimate.pythonText) > \(limit)" : ": \(spend) >= \(limit)"
    switch denial.scope {
    case .provider:
      append(" budget for provider \(name)")
      append(comparison)
    case .deployment:
      append(" budget for deployment model_name: ")
      candidate.modelName.appendPrintable(to: &bytes)
      append(", litellm_params.model: ")
      candidate.model.appendPrintable(to: &bytes)
      append(", model_id: ")
      candidate.id.appendPrintable(to: &bytes)
      append(comparison)
    case .tag:
      append(" budget for tag='\(name)', tag_spend=\(spend), ")
      if isEstimate { append("estimated_cost=\(estimate.pythonText), ") }
      append("tag_budget_limit=\(limit)")
    }
    if denial.withheld > .zero {
      append(
        " ($\(denial.withheld.pythonText) withheld: the store is away, outage policy share)")
    }
    append("\n")
    if bytes.count > maximumBytes - Self.roomForCount {
      bytes.removeLast(bytes.count - before)
      omitted = 1
    }
  }

  /// Adds the sentence for one finding about a configured deployment.
  public mutating func add(
    _ denial: Denial, name: String, candidate: ConfiguredDeployment, estimate: PicoUSD
  ) {
    NameBytes.with(candidate.id) { id in
      NameBytes.with(candidate.modelName) { modelName in
        NameBytes.with(candidate.model) { model in
          add(
            denial, name: name, candidate: Candidate(id: id, modelName: modelName, model: model),
            estimate: estimate)
        }
      }
    }
  }

  /// Ends the text. `unlisted` findings were not given to `add`.
  public mutating func finish(unlisted: Int) {
    let missing = omitted + unlisted
    if missing > 0 { append("... and \(missing) more") }
  }

  /// The text.
  public var text: String { String(decoding: bytes, as: UTF8.self) }

  private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }
}
