import BudgetEngine
import BudgetModel
import BudgetWire

/// Denials as the bytes that go out, by the slot of the budget that denies. When money is out, the
/// same budgets deny request after request.
struct RememberedDenials {
  private var encoded = [FilterReply.EncodedDenial](
    repeating: FilterReply.EncodedDenial(), count: Self.placeCount)
  /// Whose denial each is; nil: nobody's yet. Apart: who compares need not touch the bytes.
  private var said = [BudgetDenial?](repeating: nil, count: Self.placeCount)
  /// The configuration that they are of: a slot may become another budget's.
  private var generation: UInt64 = 0

  private static let placeCount = 64

  /// Adds `denial` to `reply`.
  mutating func add(_ denial: BudgetDenial, in catalog: BudgetCatalog, to reply: inout FilterReply)
  {
    if generation != catalog.edition {
      generation = catalog.edition
      for place in said.indices { said[place] = nil }
    }
    let place = Int(denial.slot) & (Self.placeCount - 1)
    if !isSaid(denial, at: place) {
      said[place] = denial
      encode(denial, at: place, in: catalog)
    }
    reply.deny(at: denial.candidate, as: encoded.span[place])
  }

  private func isSaid(_ denial: BudgetDenial, at place: Int) -> Bool {
    guard let known = said.span[place] else { return false }
    return denial.isSameDenial(as: known)
  }

  private mutating func encode(_ denial: BudgetDenial, at place: Int, in catalog: BudgetCatalog) {
    catalog.withName(of: denial) { name in
      var said = FilterReply.Denial(
        position: denial.candidate, scope: denial.scope, name: name,
        spendUSD: denial.spend.dollars,
        limitUSD: denial.limit == BudgetDenial.noLimit ? 0 : denial.limit.dollars,
        resetsAtUnixMilliseconds: denial.resetsAt?.unixMilliseconds,
        withheldUSD: denial.withheld.dollars)
      said.mode = denial.mode
      said.reservedUSD = denial.reserved.dollars
      if let window = catalog.spokenWindow(of: denial) { said.window = window }
      encoded[place].encode(said)
    }
  }
}
