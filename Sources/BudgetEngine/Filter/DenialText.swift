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
  /// The start of the text where nothing could be reserved.
  public static let reservePrefix = "Nothing reserved - crossed budget: "

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

  /// The budget that a sentence speaks of.
  public struct Denier {
    /// The name that the budget is of.
    public var name: NameBytes
    /// Its window; nil: LiteLLM's sentence, which names none.
    public var window: String?
    /// Why an operator froze it, in the operator's words; empty: nobody said.
    public var reason: String

    /// Makes a budget from its parts.
    public init(name: NameBytes, window: String?, reason: String = "") {
      self.name = name
      self.window = window
      self.reason = reason
    }
  }

  /// The text so far, UTF-8.
  public private(set) var bytes: [UInt8] = []
  private let maximumBytes: Int
  private var omitted = 0
  /// The sentences that were written last, by slot. Those of a provider or a tag are the same for
  /// every candidate, and for every request until money is spent.
  private var sentences = [[UInt8]](repeating: [], count: Self.sentenceCount)
  /// The denial and the estimate that each sentence is of. Comparing them does not touch the bytes.
  private var said = [Said](repeating: Said(), count: Self.sentenceCount)
  /// The configuration that they are of.
  private var generation: UInt64 = 0
  /// A deployment's sentence.
  private var own: [UInt8] = []

  private static let sentenceCount = 64

  private struct Said {
    /// Nil: nothing yet.
    var denial: BudgetDenial?
    var estimate = PicoUSD.zero
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
  public mutating func begin(under generation: UInt64, prefix: String = Self.prefix) {
    bytes.removeAll(keepingCapacity: true)
    bytes.append(contentsOf: prefix.utf8)
    omitted = 0
    guard generation != self.generation else { return }
    self.generation = generation
    // A slot may have become another budget's.
    for place in said.indices { said[place].denial = nil }
  }

  /// Counts a denial whose sentence has no room.
  private mutating func omit() { omitted += 1 }

  /// Adds the sentence for one denial. `budget` is who denies; `estimate` the request's.
  public mutating func add(
    _ denial: BudgetDenial, by budget: Denier, candidate: Candidate, estimate: PicoUSD
  ) {
    guard omitted == 0 else { return omit() }
    let place = Self.place(of: denial)
    if denial.scope == .deployment {
      own.removeAll(keepingCapacity: true)
      let sentence = Sentence(denial, estimate)
      sentence.write(to: &own, budget: budget, candidate: candidate)
      if fits(own.count) { bytes.append(bytesOf: own) }
      return
    }
    if !repeats(denial, estimate) {
      said[place] = Said(denial: denial, estimate: estimate)
      sentences[place].removeAll(keepingCapacity: true)
      let sentence = Sentence(denial, estimate)
      sentence.write(to: &sentences[place], budget: budget, candidate: candidate)
    }
    appendSentence(at: place)
  }

  /// Adds the sentence for one denial where it is known, without anybody's name; false: it is not.
  public mutating func addKnown(_ denial: BudgetDenial, estimate: PicoUSD) -> Bool {
    guard omitted == 0 else {
      omit()
      return true
    }
    guard denial.scope != .deployment, repeats(denial, estimate) else { return false }
    appendSentence(at: Self.place(of: denial))
    return true
  }

  private func repeats(_ denial: BudgetDenial, _ estimate: PicoUSD) -> Bool {
    let said = said.span
    let place = Self.place(of: denial)
    guard let known = said[place].denial else { return false }
    return denial.isSameDenial(as: known) && said[place].estimate == estimate
  }

  private static func place(of denial: BudgetDenial) -> Int {
    Int(denial.slot) & (sentenceCount - 1)
  }

  /// Adds the sentence at `place`, where it fits.
  private mutating func appendSentence(at place: Int) {
    let count = sentences.span[place].count
    if fits(count) { bytes.append(bytesOf: sentences.span[place]) }
  }

  /// Whether a sentence of so many bytes still fits; where not, it is counted.
  private mutating func fits(_ count: Int) -> Bool {
    if bytes.count + count <= maximumBytes - Self.roomForCount { return true }
    omitted = 1
    return false
  }

  /// Adds the sentence for one denial of a configured deployment.
  public mutating func add(
    _ denial: BudgetDenial, in catalog: BudgetCatalog, candidate: ConfiguredDeployment,
    estimate: PicoUSD
  ) {
    NameBytes.with(candidate.id) { id in
      NameBytes.with(candidate.modelName) { modelName in
        NameBytes.with(candidate.model) { model in
          catalog.withDenier(of: denial) { budget in
            add(
              denial, by: budget, candidate: Candidate(id: id, modelName: modelName, model: model),
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
}

/// One sentence, as LiteLLM writes it.
private struct Sentence {
  private let denial: BudgetDenial
  /// The request's estimate, if it alone crosses the limit; nil: the limit is crossed already.
  private let estimate: PicoUSD?

  init(_ denial: BudgetDenial, _ estimate: PicoUSD) {
    self.denial = denial
    self.estimate = denial.spend < denial.limit ? denial.needed ?? estimate : nil
  }

  func write(
    to text: inout [UInt8], budget: DenialText.Denier, candidate: DenialText.Candidate
  ) {
    if denial.isForWantOfRoom {
      text.append("\(denial.scope) ")
      budget.name.append(to: &text)
      return text.append(
        " has no room for the budget of another name: all dynamic budgets are in use\n")
    }
    if denial.mode == .freeze {
      text.append("\(denial.scope)")
      // The total has one name alone, which is its scope's.
      if denial.scope != .total {
        text.append(" ")
        budget.name.append(to: &text)
      }
      text.append(budget.reason.isEmpty ? " is frozen" : " is frozen: ")
      text.append(budget.reason)
      return text.append("\n")
    }
    text.append(estimate == nil ? "Exceeded budget for " : "Would exceed budget for ")
    switch denial.scope {
    case .deployment:
      text.append("deployment model_name: ")
      candidate.modelName.appendPrintable(to: &text)
      text.append(", litellm_params.model: ")
      candidate.model.appendPrintable(to: &text)
      text.append(", model_id: ")
      candidate.id.appendPrintable(to: &text)
      writeComparison(budget.window, to: &text)
    case .tag where budget.window == nil:
      text.append("tag='")
      budget.name.append(to: &text)
      text.append("', tag_spend=")
      denial.spend.appendPythonText(to: &text)
      if let estimate {
        text.append(", estimated_cost=")
        estimate.appendPythonText(to: &text)
      }
      text.append(", tag_budget_limit=")
      denial.limit.appendPythonText(to: &text)
    case .total:
      text.append("total")
      writeComparison(budget.window, to: &text)
    case .provider, .model, .pool, .tag:
      text.append("\(denial.scope) ")
      budget.name.append(to: &text)
      writeComparison(budget.window, to: &text)
    }
    if denial.withheld > .zero {
      text.append(" ($")
      denial.withheld.appendPythonText(to: &text)
      text.append(" withheld: the store is away, outage policy share)")
    }
    if denial.reserved > .zero {
      text.append(" ($")
      denial.reserved.appendPythonText(to: &text)
      text.append(" reserved)")
    }
    text.append("\n")
  }

  private func writeComparison(_ window: String?, to text: inout [UInt8]) {
    if let window { text.append(" per \(window)") }
    text.append(": ")
    denial.spend.appendPythonText(to: &text)
    if let estimate {
      text.append(" + ")
      estimate.appendPythonText(to: &text)
      text.append(" > ")
    } else {
      text.append(" >= ")
    }
    denial.limit.appendPythonText(to: &text)
  }
}

extension [UInt8] {
  fileprivate mutating func append(_ text: String) { append(contentsOf: text.utf8) }
}

extension BudgetDenial {
  /// Whether both say the same of the same budget, whichever the candidate.
  public func isSameDenial(as other: BudgetDenial) -> Bool {
    slot == other.slot && life == other.life && isForWantOfRoom == other.isForWantOfRoom
      && scope == other.scope && spend == other.spend && limit == other.limit
      && withheld == other.withheld && reserved == other.reserved && resetsAt == other.resetsAt
      && mode == other.mode && needed == other.needed
  }
}
