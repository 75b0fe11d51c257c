public import BudgetModel

/// Writes the sentences that LiteLLM gives when every candidate is over budget.
///
/// One sentence a denial, each ended by a newline, behind the prefix; numbers as Python prints
/// them. If the text would grow past its bound, it ends with how many sentences are missing.
///
/// Reused from request to request: when everything is denied, routers ask more than ever.
public struct DenialText: Sendable {
  /// The start of LiteLLM's text; routers look for its first words.
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
  public private(set) var bytes: [UInt8] = []
  private let maximumBytes: Int
  private var omitted = 0
  /// The sentence that was written last, and for what.
  private var sentence: [UInt8] = []
  private var written = Denial(candidate: 0, scope: .provider, slot: -1, spend: .zero, limit: .zero)
  private var writtenEstimate = PicoUSD.zero
  /// Whether it says the same of every candidate: those of one provider share theirs.
  private var isShared = false

  /// Room kept for the line that counts what is missing.
  private static let roomForCount = 40

  /// A text of at most `maximumBytes`.
  public init(maximumBytes: Int) {
    precondition(maximumBytes >= Self.prefix.utf8.count + Self.roomForCount)
    self.maximumBytes = maximumBytes
    begin()
  }

  /// Begins another text. Storage is kept.
  public mutating func begin() {
    bytes.removeAll(keepingCapacity: true)
    bytes.append(contentsOf: Self.prefix.utf8)
    isShared = false
    omitted = 0
  }

  /// Whether further sentences are only counted: their candidates' names are not asked for.
  public var isFull: Bool { omitted > 0 }

  /// Counts a denial whose sentence has no room.
  public mutating func omit() { omitted += 1 }

  /// Adds the sentence for one denial. `name` is the budget's; `estimate` the request's.
  public mutating func add(
    _ denial: Denial, name: NameBytes, candidate: Candidate, estimate: PicoUSD
  ) {
    guard omitted == 0 else { return omit() }
    if !(isShared && estimate == writtenEstimate && denial.isSameDenial(as: written)) {
      sentence.removeAll(keepingCapacity: true)
      writtenEstimate = estimate
      write(denial, name: name, candidate: candidate)
      written = denial
      isShared = denial.scope != .deployment
    }
    if bytes.count + sentence.count > maximumBytes - Self.roomForCount {
      omitted = 1
    } else {
      bytes.append(contentsOf: sentence)
    }
  }

  /// Adds the sentence for one denial of a configured deployment.
  public mutating func add(
    _ denial: Denial, name: String, candidate: ConfiguredDeployment, estimate: PicoUSD
  ) {
    NameBytes.with(candidate.id) { id in
      NameBytes.with(candidate.modelName) { modelName in
        NameBytes.with(candidate.model) { model in
          NameBytes.with(name) { name in
            add(
              denial, name: name, candidate: Candidate(id: id, modelName: modelName, model: model),
              estimate: estimate)
          }
        }
      }
    }
  }

  /// Ends the text. `unlisted` denials were not given to `add`.
  public mutating func finish(unlisted: Int) {
    let missing = omitted + unlisted
    if missing > 0 { bytes.append(contentsOf: "... and \(missing) more".utf8) }
  }

  /// The text.
  public var text: String { String(decoding: bytes, as: UTF8.self) }

  private mutating func write(_ denial: Denial, name: NameBytes, candidate: Candidate) {
    let isEstimate = denial.spend < denial.limit
    append(isEstimate ? "Would exceed budget for " : "Exceeded budget for ")
    switch denial.scope {
    case .provider:
      append("provider ")
      name.append(to: &sentence)
      appendComparison(denial, isEstimate: isEstimate)
    case .deployment:
      append("deployment model_name: ")
      candidate.modelName.appendPrintable(to: &sentence)
      append(", litellm_params.model: ")
      candidate.model.appendPrintable(to: &sentence)
      append(", model_id: ")
      candidate.id.appendPrintable(to: &sentence)
      appendComparison(denial, isEstimate: isEstimate)
    case .tag:
      append("tag='")
      name.append(to: &sentence)
      append("', tag_spend=")
      denial.spend.appendPythonText(to: &sentence)
      if isEstimate {
        append(", estimated_cost=")
        writtenEstimate.appendPythonText(to: &sentence)
      }
      append(", tag_budget_limit=")
      denial.limit.appendPythonText(to: &sentence)
    }
    if denial.withheld > .zero {
      append(" ($")
      denial.withheld.appendPythonText(to: &sentence)
      append(" withheld: the store is away, outage policy share)")
    }
    append("\n")
  }

  private mutating func appendComparison(_ denial: Denial, isEstimate: Bool) {
    append(": ")
    denial.spend.appendPythonText(to: &sentence)
    if isEstimate {
      append(" + ")
      writtenEstimate.appendPythonText(to: &sentence)
      append(" > ")
    } else {
      append(" >= ")
    }
    denial.limit.appendPythonText(to: &sentence)
  }

  private mutating func append(_ text: String) { sentence.append(contentsOf: text.utf8) }
}

extension Denial {
  /// Whether both say the same of the same budget, whichever the candidate.
  fileprivate func isSameDenial(as other: Denial) -> Bool {
    slot == other.slot && scope == other.scope && spend == other.spend && limit == other.limit
      && withheld == other.withheld
  }
}
