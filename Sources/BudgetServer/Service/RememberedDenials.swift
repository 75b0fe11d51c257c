import BudgetEngine
import BudgetModel
import BudgetWire

/// Denials as the bytes that go out, by the slot of the budget that denies. When money is out, the
/// same budgets deny request after request.
struct RememberedDenials {
  private struct Place {
    /// Whose denial it is; nil: nobody's yet.
    var finding: BudgetDenial?
    var encoded = FilterReply.EncodedDenial()
  }

  private var places = [Place](repeating: Place(), count: Self.placeCount)
  /// The configuration that they are of: a slot may become another budget's.
  private var generation: UInt64 = 0

  private static let placeCount = 64

  /// Adds `denial` to `reply`.
  mutating func add(_ denial: BudgetDenial, in catalog: BudgetCatalog, to reply: inout FilterReply)
  {
    if generation != catalog.generation {
      generation = catalog.generation
      for place in places.indices { places[place].finding = nil }
    }
    let place = Int(denial.slot) & (Self.placeCount - 1)
    if places[place].finding.map({ denial.isSameDenial(as: $0) }) != true {
      places[place].finding = denial
      encode(denial, at: place, in: catalog)
    }
    reply.deny(at: denial.candidate, as: places[place].encoded)
  }

  private mutating func encode(_ denial: BudgetDenial, at place: Int, in catalog: BudgetCatalog) {
    catalog.withName(of: denial) { name in
      places[place].encoded.encode(
        FilterReply.Denial(
          position: denial.candidate, scope: denial.scope, name: name,
          spendUSD: denial.spend.dollars, limitUSD: denial.limit.dollars,
          resetsAtUnixMilliseconds: denial.resetsAt?.unixMilliseconds,
          withheldUSD: denial.withheld.dollars))
    }
  }
}
