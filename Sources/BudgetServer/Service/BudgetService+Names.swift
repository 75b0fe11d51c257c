import BudgetEngine
import BudgetModel
import BudgetWire

extension BudgetService {
  /// The name if it can match a budget; absent, and counted, if it cannot. Tags come from end
  /// users: a strange one must neither stop traffic nor keep real spend from being recorded.
  mutating func usable(_ name: NameBytes, as field: NameField) -> NameBytes {
    guard let fault = name.fault else { return name }
    oddNames += 1
    context.counters.countUnusable(field, fault)
    return .absent
  }

  /// The budgets that a candidate is checked against, or that a record is charged to: one rule for
  /// both. Counts names that can match nothing, a model without a provider, and a provider that is
  /// another than the model list's.
  mutating func resolve(
    id: NameBytes, model: NameBytes, provider: NameBytes, in catalog: BudgetCatalog
  ) -> CandidateSlots {
    // An explicit provider needs no derivation, so the model may be anything.
    let model = provider.isEmpty ? usable(model, as: .model) : .absent
    var slots = catalog.candidate(id: id, model: model, provider: provider)
    if !slots.hasProvider, !model.isEmpty {
      oddNames += 1
      context.counters.countUnresolvedModel()
    }
    if !slots.hasDeploymentBudget { _ = usable(id, as: .deployment) }
    let explicit = slots.hasProviderBudget ? provider : usable(provider, as: .provider)
    if slots.contradictsModelList {
      // A name that is no name says nothing about a provider.
      slots.contradictsModelList = !explicit.isEmpty
      context.contradictions.note(
        deployment: id, listed: catalog.listedProvider(ofDeployment: id), given: explicit)
    }
    return slots
  }

  /// The name as it may stand in a message.
  func printable(_ name: NameBytes) -> String {
    var bytes: [UInt8] = []
    name.appendPrintable(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Refuses a name that has to be taken as it is.
  func checkBounds(of name: NameBytes, field: String) throws(ServiceRefusal) {
    guard !name.isWellFormed else { return }
    throw ServiceRefusal(
      .invalidArgument,
      "\(field) of \(name.count) bytes: give at most \(NameBytes.maximumLength) bytes of UTF-8 "
        + "without control characters")
  }

  /// The amount that a field names.
  func amount(_ dollars: Double, field: String) throws(ServiceRefusal) -> PicoUSD {
    do throws(MoneyError) {
      return try PicoUSD(dollars: dollars, atMost: .maximumRecord)
    } catch {
      let what =
        error == .notANumber ? "not a number" : error == .negative ? "negative" : "too much"
      throw ServiceRefusal(
        .invalidArgument,
        "\(field) \(dollars.pythonText) is \(what): give 0 to \(PicoUSD.maximumRecord.exactText)")
    }
  }
}
