import BudgetEngine
import BudgetModel
import BudgetWire

/// Denials as the bytes that go out, by the slot of the budget that denies. When money is out, the
/// same budgets deny request after request.
struct RememberedDenials {
  /// In one block, place by place: an array for each would have its references counted.
  private var bytes = [UInt8](repeating: 0, count: Self.placeCount * Self.stride)
  private var lengths = [Int](repeating: 0, count: Self.placeCount)
  /// The one that is being encoded.
  private var encoded = FilterReply.EncodedDenial()
  /// Whose denial each is; nil: nobody's yet. Apart: who compares need not touch the bytes.
  private var said = [BudgetDenial?](repeating: nil, count: Self.placeCount)
  /// The configuration that they are of: a slot may become another budget's.
  private var generation: UInt64 = 0

  private static let placeCount = 64
  /// Longer ones, of names that nobody gives, are encoded each time.
  private static let stride = 512

  /// Adds `denial` to `reply`.
  mutating func add(_ denial: BudgetDenial, in catalog: BudgetCatalog, to reply: inout FilterReply)
  {
    if generation != catalog.edition {
      generation = catalog.edition
      for place in said.indices { said[place] = nil }
    }
    let place = Int(denial.slot) & (Self.placeCount - 1)
    if !isSaid(denial, at: place) {
      encode(denial, in: catalog)
      guard encoded.bytes.count <= Self.stride else {
        said[place] = nil
        return reply.deny(at: denial.candidate, as: encoded.bytes.span)
      }
      said[place] = denial
      remember(at: place)
    }
    let start = place * Self.stride
    reply.deny(
      at: denial.candidate, as: bytes.span.extracting(start..<start + lengths[place]))
  }

  private func isSaid(_ denial: BudgetDenial, at place: Int) -> Bool {
    guard let known = said.span[place] else { return false }
    return denial.isSameDenial(as: known)
  }

  private mutating func remember(at place: Int) {
    let start = place * Self.stride
    for index in encoded.bytes.indices { bytes[start + index] = encoded.bytes[index] }
    lengths[place] = encoded.bytes.count
  }

  private mutating func encode(_ denial: BudgetDenial, in catalog: BudgetCatalog) {
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
      encoded.encode(said)
    }
  }
}
