import BudgetModel

/// What the fleet has to do with one budget: what others spent, and what is set aside for them.
/// Immutable, so that copies of a state may share it.
final class FleetShare: Sendable {
  struct Fields: Equatable {
    var others = PicoUSD.zero
    var withheld = PicoUSD.zero
    var withheldNext = PicoUSD.zero
    var withheldLimit: PicoUSD?
  }

  let fields: Fields

  init(_ fields: Fields) { self.fields = fields }

  var others: PicoUSD { fields.others }
  var withheld: PicoUSD { fields.withheld }
  var withheldNext: PicoUSD { fields.withheldNext }
  var withheldLimit: PicoUSD? { fields.withheldLimit }
}
