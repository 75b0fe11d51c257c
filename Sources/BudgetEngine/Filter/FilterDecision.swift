public import BudgetModel

/// Why a candidate may not be used.
public struct BudgetDenial: Hashable, Sendable {
  /// The candidate's position in the request.
  public var candidate: UInt32
  /// Which kind of budget denies it.
  public var scope: BudgetScope
  /// The budget's slot.
  public var slot: Int32
  /// The life of the slot in which it is a dynamic budget's; 0: the budget is an entry's or a
  /// pattern's own.
  public var life: UInt32 = 0
  /// The row of that dynamic budget.
  var home = SlotState.noHome
  /// Whether it denies since no more dynamic budgets fit.
  public var isForWantOfRoom = false
  /// `needed` in picodollars; 0: nil. Eight bytes, here where they lie in a gap: denials are moved on the
  /// way of every filter, and each byte more of them is paid there.
  fileprivate(set) var neededPico: UInt64 = 0
  /// The amount compared with the limit: spend, others' too, pending, withheld and reserved.
  public var spend: PicoUSD
  /// How much of that an outage policy has set aside: nobody has spent it.
  public var withheld = PicoUSD.zero
  /// How much of it reservations keep back: nobody has spent it yet.
  public var reserved = PicoUSD.zero
  /// The budget's limit; of a frozen budget without one `BudgetDenial.noLimit`.
  public var limit: PicoUSD
  /// Whether it denies for what is spent, or is frozen.
  public var mode = BudgetMode.enforce
  /// When the open window ends; nil where none is open (a limit of 0).
  public var resetsAt: Timestamp?

  /// The limit of a frozen budget that has none.
  public static let noLimit = BudgetCatalog.unlimited

  /// How much more was to be kept back, of a reservation: the amount, and what it adds for costs that lie
  /// above it. Nil: a filter's denial, which goes by the estimate; or more than 18 million dollars.
  public var needed: PicoUSD? {
    get { neededPico == 0 ? nil : PicoUSD(pico: Int128(neededPico)) }
    set { neededPico = newValue.flatMap { UInt64(exactly: $0.pico) } ?? 0 }
  }
}

extension BudgetDenial {
  /// Whether no amount at all would fit.
  var leavesNothing: Bool { mode == .freeze || isForWantOfRoom || spend >= limit }
}

/// The answer to one filter request. Reused from request to request: its arrays keep their storage.
public struct FilterDecision: Sendable {
  /// Positions of the candidates that may be used, ascending.
  public internal(set) var allowed: [UInt32] = []
  /// Why the others may not, in the order in which candidates were given, at most `maximumDenials`.
  public internal(set) var denials: [BudgetDenial] = []
  /// How many denials are past that bound.
  public internal(set) var denialsOmitted: UInt32 = 0
  /// How many candidates were judged.
  public internal(set) var candidateCount = 0
  /// The tags, and the total, that deny every candidate; scratch of the decision.
  var common: [BudgetDenial] = []
  /// The frozen budgets of these, which keep out free candidates too.
  var frozen: [BudgetDenial] = []

  /// Makes an empty decision.
  public init() {}

  /// Whether candidates were given and none may be used.
  public var isExhausted: Bool { candidateCount > 0 && allowed.isEmpty }

  mutating func begin() {
    if !allowed.isEmpty { allowed.removeAll(keepingCapacity: true) }
    if !denials.isEmpty { denials.removeAll(keepingCapacity: true) }
    if !common.isEmpty { common.removeAll(keepingCapacity: true) }
    if !frozen.isEmpty { frozen.removeAll(keepingCapacity: true) }
    denialsOmitted = 0
    candidateCount = 0
  }

  mutating func deny(_ denial: BudgetDenial, atMost maximum: Int) {
    if denials.count < maximum { denials.append(denial) } else { denialsOmitted += 1 }
  }

  /// Denies a candidate by each exhausted tag and the total. Past the bound it only counts: 1,024
  /// candidates and 256 tags would make a quarter of a million denials.
  mutating func denyByCommon(candidate: UInt32, isFree: Bool, atMost maximum: Int) {
    let count = isFree ? frozen.count : common.count
    let listed = min(count, max(0, maximum - denials.count))
    for index in 0..<listed {
      var denial = isFree ? frozen[index] : common[index]
      denial.candidate = candidate
      denials.append(denial)
    }
    denialsOmitted += UInt32(count - listed)
  }
}
