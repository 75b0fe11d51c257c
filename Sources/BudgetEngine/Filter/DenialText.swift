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
  /// The sentences that were written last, by slot. Those of a provider or a tag are the same for
  /// every candidate, and for every request until money is spent.
  private var sentences = [Sentence](repeating: Sentence(), count: Self.sentenceCount)
  /// The configuration that they are of.
  private var generation: UInt64 = 0
  /// A deployment's sentence.
  private var own: [UInt8] = []

  private static let sentenceCount = 64

  private struct Sentence {
    /// What it says; nil: nothing yet.
    var finding: BudgetDenial?
    var estimate = PicoUSD.zero
    var bytes: [UInt8] = []

    func says(_ denial: BudgetDenial, _ estimate: PicoUSD) -> Bool {
      guard let finding else { return false }
      return self.estimate == estimate && denial.isSameDenial(as: finding)
    }
  }

  /// Room kept for the line that counts what is missing.
  private static let roomForCount = 40

  /// A text of at most `maximumBytes`.
  public init(maximumBytes: Int) {
    precondition(maximumBytes >= Self.prefix.utf8.count + Self.roomForCount)
    self.maximumBytes = maximumBytes
    begin(under: 0)
  }

  /// Begins another text, of a request under the configuration `generation`. Storage is kept, and
  /// sentences of that configuration.
  public mutating func begin(under generation: UInt64) {
    bytes.removeAll(keepingCapacity: true)
    bytes.append(contentsOf: Self.prefix.utf8)
    omitted = 0
    guard generation != self.generation else { return }
    self.generation = generation
    // A slot may have become another budget's.
    for place in sentences.indices { sentences[place].finding = nil }
  }

  /// Whether further sentences are only counted: their candidates' names are not asked for.
  public var isFull: Bool { omitted > 0 }

  /// Counts a denial whose sentence has no room.
  public mutating func omit() { omitted += 1 }

  /// Adds the sentence for one denial. `name` is the budget's; `estimate` the request's.
  public mutating func add(
    _ denial: BudgetDenial, name: NameBytes, candidate: Candidate, estimate: PicoUSD
  ) {
    guard omitted == 0 else { return omit() }
    if denial.scope == .deployment {
      own.removeAll(keepingCapacity: true)
      Self.write(denial, name: name, candidate: candidate, estimate, to: &own)
      return append(own)
    }
    let place = Int(denial.slot) & (Self.sentenceCount - 1)
    if !sentences[place].says(denial, estimate) {
      sentences[place].finding = denial
      sentences[place].estimate = estimate
      sentences[place].bytes.removeAll(keepingCapacity: true)
      Self.write(
        denial, name: name, candidate: candidate, estimate, to: &sentences[place].bytes)
    }
    append(sentences[place].bytes)
  }

  private mutating func append(_ sentence: [UInt8]) {
    if bytes.count + sentence.count > maximumBytes - Self.roomForCount {
      omitted = 1
    } else {
      bytes.append(contentsOf: sentence)
    }
  }

  /// Adds the sentence for one denial of a configured deployment.
  public mutating func add(
    _ denial: BudgetDenial, name: String, candidate: ConfiguredDeployment, estimate: PicoUSD
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

  private static func write(
    _ denial: BudgetDenial, name: NameBytes, candidate: Candidate, _ estimate: PicoUSD,
    to sentence: inout [UInt8]
  ) {
    let estimate = denial.spend < denial.limit ? estimate : nil
    sentence.append(estimate == nil ? "Exceeded budget for " : "Would exceed budget for ")
    switch denial.scope {
    case .provider:
      sentence.append("provider ")
      name.append(to: &sentence)
      appendComparison(denial, estimate, to: &sentence)
    case .deployment:
      sentence.append("deployment model_name: ")
      candidate.modelName.appendPrintable(to: &sentence)
      sentence.append(", litellm_params.model: ")
      candidate.model.appendPrintable(to: &sentence)
      sentence.append(", model_id: ")
      candidate.id.appendPrintable(to: &sentence)
      appendComparison(denial, estimate, to: &sentence)
    case .tag:
      sentence.append("tag='")
      name.append(to: &sentence)
      sentence.append("', tag_spend=")
      denial.spend.appendPythonText(to: &sentence)
      if let estimate {
        sentence.append(", estimated_cost=")
        estimate.appendPythonText(to: &sentence)
      }
      sentence.append(", tag_budget_limit=")
      denial.limit.appendPythonText(to: &sentence)
    }
    if denial.withheld > .zero {
      sentence.append(" ($")
      denial.withheld.appendPythonText(to: &sentence)
      sentence.append(" withheld: the store is away, outage policy share)")
    }
    sentence.append("\n")
  }

  private static func appendComparison(
    _ denial: BudgetDenial, _ estimate: PicoUSD?, to sentence: inout [UInt8]
  ) {
    sentence.append(": ")
    denial.spend.appendPythonText(to: &sentence)
    if let estimate {
      sentence.append(" + ")
      estimate.appendPythonText(to: &sentence)
      sentence.append(" > ")
    } else {
      sentence.append(" >= ")
    }
    denial.limit.appendPythonText(to: &sentence)
  }
}

extension [UInt8] {
  fileprivate mutating func append(_ text: String) { append(contentsOf: text.utf8) }
}

extension BudgetDenial {
  /// Whether both say the same of the same budget, whichever the candidate.
  public func isSameDenial(as other: BudgetDenial) -> Bool {
    slot == other.slot && scope == other.scope && spend == other.spend && limit == other.limit
      && withheld == other.withheld && resetsAt == other.resetsAt
  }
}
