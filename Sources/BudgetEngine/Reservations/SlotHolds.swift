public import BudgetModel

/// The holds of reservations in one budget, and what nodes of a fleet may take of it. Beside the
/// state of its slot, since most budgets have none of it.
struct SlotHolds: Sendable {
  /// One reservation's part.
  struct Hold {
    var amount: PicoUSD
    var variance: CostVariance
    var untilSeconds: Int64
    var endsSeconds: Int64

    var sum: HeldSum {
      HeldSum(untilSeconds: untilSeconds, endsSeconds: endsSeconds, amount: amount)
    }
  }

  /// The sum of all open holds, those of earlier lives too.
  private(set) var held = PicoUSD.zero
  /// How far the costs of this life's may lie from their amounts, and what that keeps back.
  private(set) var variance = CostVariance.none
  private(set) var cushion = PicoUSD.zero
  /// How many of this life are open.
  private(set) var count: Int32 = 0
  /// This life's by their ends, in order; empty where nobody writes them down.
  private(set) var sums: [HeldSum] = []
  /// Those of earlier lives of the node, whose reservations nobody knows any more.
  private(set) var inherited: [HeldSum] = []
  /// The amounts that are kept back in slots whose budget goes on in this one, with a window of another
  /// length, and their sum.
  private(set) var carried = CarriedHolds()
  /// The fleet's word.
  var claims = SlotClaims()
  /// The limit of a name's budget when something was last held there.
  var limit = BudgetCatalog.unlimited
  /// Whether the sums have changed since they were written down.
  var isChanged = false

  /// The amount that is compared with the limit beside what is spent or waits to be recorded.
  var kept: PicoUSD { held + cushion + carried.sum + claims.others }

  /// The part of it that is kept back for reservations in this slot.
  var own: PicoUSD { held + cushion }

  /// Whether the budget does without it.
  @inline(__always)
  var isEmpty: Bool {
    count == 0 && inherited.isEmpty && carried.isEmpty && !isChanged && claims == SlotClaims()
  }

  /// The amount that is kept back; nil: the budget does without holds. Mutating, though it changes nothing:
  /// so it is called in place, and the holds are not copied for it.
  @inline(__always)
  mutating func keptUnlessEmpty() -> PicoUSD? { isEmpty ? nil : kept }

  /// Makes room for another budget's: as new but for storage, which a lane would have to get again.
  mutating func clear() {
    precondition(isEmpty && held == .zero && sums.isEmpty, "holds are lost")
    if sums.capacity > Self.storedSums { sums = [] }
    if inherited.capacity > 0 { inherited = [] }
    limit = BudgetCatalog.unlimited
  }

  /// Storage for more ends than that is given back.
  private static let storedSums = 16

  /// Whether something is kept back here, or may be without asking in the window that is open. A ceiling
  /// of one that has ended is void, and no reason to begin another.
  var isInUse: Bool { count > 0 || !inherited.isEmpty || !carried.isEmpty }
  var hasCeiling: Bool { claims.ceiling ?? .zero > .zero }

  /// When the last of them ends, in seconds since 1970, where that is written down.
  var lastEndSeconds: Int64 {
    max(
      sums.last?.endsSeconds ?? .min, inherited.last?.endsSeconds ?? .min, carried.lastEndSeconds)
  }

  /// All that is kept back here goes on in another slot: what that one is to carry.
  mutating func handOver(from slot: Int32) -> CarriedHolds {
    var handed = carried
    handed.change(slot, by: own, endsSeconds: lastEndSeconds)
    carried = CarriedHolds()
    return handed
  }

  /// Another slot's budget goes on in `slot`, this one.
  mutating func carry(_ handed: CarriedHolds, in slot: Int32) {
    carried.add(handed, in: slot)
  }

  /// So much less is kept back at `origin` now.
  mutating func carryLess(_ less: PicoUSD, of origin: Int32) {
    carried.change(origin, by: .zero - less, endsSeconds: .min)
  }

  mutating func add(_ hold: Hold, isNoted: Bool) {
    held += hold.amount
    count += 1
    setVariance(variance + hold.variance)
    if isNoted { Self.add(hold.sum, to: &sums) }
    checkInvariants()
  }

  mutating func remove(_ hold: Hold, isNoted: Bool) {
    held -= hold.amount
    count -= 1
    setVariance(variance - hold.variance)
    if isNoted { Self.remove(hold.sum, from: &sums) }
    checkInvariants()
  }

  /// The hold ends later: only what is written down of it changes.
  mutating func extend(_ hold: Hold, to endsSeconds: Int64, isNoted: Bool) {
    guard isNoted else { return }
    Self.remove(hold.sum, from: &sums)
    var later = hold
    later.endsSeconds = endsSeconds
    Self.add(later.sum, to: &sums)
  }

  mutating func inherit(_ sum: HeldSum) {
    held += sum.amount
    Self.add(sum, to: &inherited)
    checkInvariants()
  }

  /// A reservation of an earlier life is known again: its part is an open hold from now on. Nil where
  /// no sum with that end has so much left.
  mutating func adopt(_ hold: Hold, at now: Timestamp, isNoted: Bool) -> Hold? {
    let found = inherited.first {
      $0.untilSeconds == hold.untilSeconds && $0.amount >= hold.amount && !$0.hasEnded(at: now)
    }
    guard let found, hold.amount > .zero else { return nil }
    var adopted = hold
    adopted.endsSeconds = found.endsSeconds
    Self.remove(adopted.sum, from: &inherited)
    held -= hold.amount
    add(adopted, isNoted: isNoted)
    return adopted
  }

  /// Takes out what has ended of earlier lives' holds; false: nothing has.
  mutating func dropEnded(at now: Timestamp) -> Bool {
    var isDropped = false
    for sum in inherited where sum.hasEnded(at: now) {
      held -= sum.amount
      isDropped = true
    }
    inherited.removeAll { $0.hasEnded(at: now) }
    checkInvariants()
    return isDropped
  }

  /// Something was freed: where the fleet is short, it is the fleet's. `own`: this node's spend with what
  /// waits to be recorded.
  @inline(__always)
  mutating func tighten(beside own: PicoUSD) {
    guard claims.isTight, let ceiling = claims.ceiling else { return }
    claims.ceiling = min(ceiling, own + held + cushion + carried.sum)
  }

  /// All that is kept back, by its ends.
  var allSums: [HeldSum] {
    var all = sums
    for sum in inherited { Self.add(sum, to: &all) }
    return all
  }

  private mutating func setVariance(_ variance: CostVariance) {
    // Nearly always amounts are certain: no root is taken.
    guard variance != self.variance else { return }
    self.variance = variance
    cushion = variance.cushion
  }

  // MARK: - Sums by their ends

  private static func precedes(_ left: HeldSum, _ right: HeldSum) -> Bool {
    (left.endsSeconds, left.untilSeconds) < (right.endsSeconds, right.untilSeconds)
  }

  /// The place of the first sum that does not end before `sum`.
  private static func place(of sum: HeldSum, in sums: [HeldSum]) -> Int {
    let sums = sums.span
    // Nearly always one of the last: what is held lasts equally long, and is soon settled.
    var high = sums.count
    for _ in 0..<nearEnd {
      if high == 0 || precedes(sums[high - 1], sum) { return high }
      high -= 1
    }
    var low = 0
    while low < high {
      let middle = (low + high) / 2
      if precedes(sums[middle], sum) { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// So many of the last sums are looked at one after the other.
  private static let nearEnd = 4

  private static func add(_ sum: HeldSum, to sums: inout [HeldSum]) {
    guard sum.amount > .zero else { return }
    let place = place(of: sum, in: sums)
    if place < sums.count, !precedes(sum, sums[place]) {
      sums[place].amount += sum.amount
    } else {
      sums.insert(sum, at: place)
    }
  }

  private static func remove(_ sum: HeldSum, from sums: inout [HeldSum]) {
    guard sum.amount > .zero else { return }
    let place = place(of: sum, in: sums)
    precondition(
      place < sums.count && !precedes(sum, sums[place]), "a hold that was never noted")
    sums[place].amount -= sum.amount
    if sums[place].amount == .zero { sums.remove(at: place) }
  }

  /// Kept in release builds: a budget that breaks one of these would admit or deny wrongly.
  private func checkInvariants() {
    precondition(held >= .zero && count >= 0, "more was freed than held")
    precondition(count > 0 || variance == .none, "a cushion without holds")
  }
}

/// The amounts that are kept back in slots whose budget goes on in another one: reservations know their
/// slots for as long as they last, and what is held there may be spent in the successor.
struct CarriedHolds: Sendable {
  private struct Part {
    var origin: Int32
    /// Below zero while what was freed is told before what is handed over.
    var amount: PicoUSD
    var endsSeconds: Int64
  }

  private var parts: [Part] = []
  /// The sum of all parts.
  private(set) var sum = PicoUSD.zero

  @inline(__always)
  var isEmpty: Bool { parts.isEmpty }

  var lastEndSeconds: Int64 { parts.reduce(.min) { max($0, $1.endsSeconds) } }

  /// Adds what another slot carried and had; what `slot` itself has is its own.
  mutating func add(_ other: CarriedHolds, in slot: Int32) {
    for part in other.parts where part.origin != slot {
      change(part.origin, by: part.amount, endsSeconds: part.endsSeconds)
    }
  }

  mutating func change(_ origin: Int32, by amount: PicoUSD, endsSeconds: Int64) {
    guard amount != .zero else { return }
    if let place = parts.firstIndex(where: { $0.origin == origin }) {
      parts[place].amount += amount
      parts[place].endsSeconds = max(parts[place].endsSeconds, endsSeconds)
      if parts[place].amount == .zero { parts.remove(at: place) }
    } else {
      parts.append(Part(origin: origin, amount: amount, endsSeconds: endsSeconds))
    }
    sum = parts.reduce(.zero) { $0 + max($1.amount, .zero) }
  }
}

/// The fleet's word on one budget, as far as this node has heard.
public struct SlotClaims: Hashable, Sendable {
  /// The sum that others may take beyond what they have spent.
  public var others = PicoUSD.zero
  /// The sum up to which this node may spend and reserve; nil: it asks nobody.
  public var ceiling: PicoUSD?
  /// The last instant at which the ceiling holds.
  public var usableUntil = Timestamp.latest
  /// Until then a hold may last that is taken or extended now: what the fleet knows of this node's claim
  /// outlives it.
  public var coveredUntil = Timestamp.latest
  /// The window that the ceiling is of: in another one nothing may be spent or reserved by it.
  public var windowStart: Timestamp?
  /// Whether the budget is so near to its limit that what is freed is the fleet's: the ceiling is lowered
  /// in the same step.
  public var isTight = false
  /// When a reservation was last refused for want of room.
  public var lastRefusedAt: Timestamp?

  /// Nothing is claimed.
  public init() {}
}

/// The holds of one shard's slots; places are handed out again.
struct HoldTable: Sendable {
  private var holds: [SlotHolds] = []
  /// Whose they are; `Slot.none`: the place is free.
  private(set) var owners: [Int32] = []
  private var free: [Int32] = []
  /// The slots whose sums have changed since they were taken.
  var changed: [Int32] = []
  /// How many places are taken.
  var count: Int { holds.count - free.count }

  /// The amount kept back by the holds at `place`; zero for `Slot.none`.
  @inline(__always)
  func kept(at place: Int32) -> PicoUSD {
    place == Slot.none ? .zero : holds[Int(place)].kept
  }

  /// The same once a hold with `variance` is added; nil where the fleet has given a ceiling.
  func kept(at place: Int32, adding variance: CostVariance) -> PicoUSD? {
    let isCertain = variance == .none
    guard place != Slot.none else { return isCertain ? .zero : variance.cushion }
    let (holds, index) = (holds.span, Int(place))
    guard holds[index].claims.ceiling == nil else { return nil }
    if isCertain { return holds[index].kept }
    let cushion = (holds[index].variance + variance).cushion
    return holds[index].kept - holds[index].cushion + cushion
  }

  subscript(place: Int32) -> SlotHolds {
    get { holds[Int(place)] }
    _modify { yield &holds[Int(place)] }
  }

  /// Whether something is kept back at `place`, or may be; the holds are not copied.
  func isInUse(at place: Int32) -> Bool { holds.span[Int(place)].isInUse }
  func hasCeiling(at place: Int32) -> Bool { holds.span[Int(place)].hasCeiling }

  /// Whether so little is kept back at `place`, of a name's budget with that much spent, that the fleet need
  /// not hear of it.
  func isWithinAllowance(at place: Int32, spent: PicoUSD) -> Bool {
    let limit = holds.span[Int(place)].limit
    guard limit != BudgetCatalog.unlimited else { return true }
    let own = holds.span[Int(place)].own
    return Allowance.covers(own, ofLeft: limit - spent)
  }

  /// Puts what is kept back at `place` into `room`; its lists are not touched.
  func look(at place: Int32, into room: inout SlotRoom) {
    let index = Int(place)
    room.held = holds[index].held + holds[index].carried.sum
    room.variance = holds[index].variance
    room.cushion = holds[index].cushion
    room.claims = holds[index].claims
  }

  mutating func add(for slot: Int32) -> Int32 {
    if let place = free.popLast() {
      owners[Int(place)] = slot
      return place
    }
    holds.append(SlotHolds())
    owners.append(slot)
    return Int32(holds.count - 1)
  }

  /// Changes what is kept back at `place`, which is the slot's; the amount that is then, nil where
  /// nothing is and the place is free again. `isNoted`: somebody writes the sums down, and they change.
  @inline(__always)
  mutating func update<Result>(
    _ place: Int32, of slot: Int32, isNoted: Bool, _ change: (inout SlotHolds) -> Result
  ) -> (Result, kept: PicoUSD?) {
    let (result, wasChanged, kept) = Self.update(&holds, at: Int(place), isNoted, change)
    if isNoted, !wasChanged { changed.append(slot) }
    if kept == nil { remove(place) }
    return (result, kept)
  }

  @inline(__always)
  private static func update<Result>(
    _ holds: inout [SlotHolds], at index: Int, _ isNoted: Bool,
    _ change: (inout SlotHolds) -> Result
  ) -> (Result, wasChanged: Bool, kept: PicoUSD?) {
    var holds = holds.mutableSpan
    let result = change(&holds[index])
    let wasChanged = holds[index].isChanged
    if isNoted { holds[index].isChanged = true }
    return (result, wasChanged, holds[index].keptUnlessEmpty())
  }

  /// Frees `place` if nothing is there; false: something is.
  mutating func removeIfEmpty(_ place: Int32) -> Bool {
    guard holds.span[Int(place)].isEmpty else { return false }
    remove(place)
    return true
  }

  private mutating func remove(_ place: Int32) {
    holds[Int(place)].clear()
    owners[Int(place)] = Slot.none
    free.append(place)
  }
}
