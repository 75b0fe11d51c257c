public import BudgetModel

/// One budget as a reservation finds it: looked at under its lock, judged while all are held.
struct SlotRoom: Sendable {
  let slot: Int32
  /// The budget's place among those of the request: denials are told in that order.
  var place: Int32 = 0
  /// The life that the slot has to be in; 0: any.
  let life: UInt32
  let scope: BudgetScope
  let limit: PicoUSD
  let mode: BudgetMode
  /// The slot that counts what a budget that only watches would have denied.
  var countedAt: Int32
  /// Whether the name found no room for a budget of its own, and is denied for that.
  var isForWantOfRoom = false
  /// Whether what is spent counts: not for a free candidate, unless its provider or itself.
  var isAsked = true
  /// Whether the fleet is asked for more of it than a small part of what is left.
  var hasAllowance = false

  /// Spend, others' too, pending and withheld.
  var compared = PicoUSD.zero
  var withheld = PicoUSD.zero
  /// This node's spend with what waits to be recorded.
  var own = PicoUSD.zero
  var held = PicoUSD.zero
  var variance = CostVariance.none
  var cushion = PicoUSD.zero
  var claims = SlotClaims()
  var windowStart: Timestamp?
  var resetsAt: Timestamp?
  var home = SlotState.noHome
  var verdict = Verdict.admits
  /// Whether a budget that only watches would have denied.
  private(set) var wouldDeny = false

  enum Verdict: Sendable {
    case admits
    case denies
    /// There is room, and the fleet is to be asked for it.
    case lacks
  }

  /// Whether the limit is of account.
  private var isLimited: Bool { limit != BudgetCatalog.unlimited && mode == .enforce && isAsked }

  /// The limit that a hold in a name's budget is noted with; nil: it is another budget.
  var notedLimit: PicoUSD? {
    guard life != 0 else { return nil }
    return mode == .enforce ? limit : BudgetCatalog.unlimited
  }

  /// Whether a name's budget has a ceiling of the open window, and the fleet is asked at all.
  private var hasOwnCeiling: Bool { hasAllowance && claims.windowStart == windowStart }

  /// The part that is left of the limit beside what is kept back.
  private var rest: PicoUSD { limit - compared - held - cushion - claims.others }

  /// The most that an estimate may keep back here, cushion and all: a cold estimate must not lock a
  /// small budget. Nil: as much as it likes, or it is judged like any other.
  var greatestEstimate: PicoUSD? {
    guard isLimited, held == .zero, cushion == .zero, rest > .zero else { return nil }
    return rest
  }

  /// The amount that the budget keeps back once `variance` is added.
  private func kept(adding variance: CostVariance) -> PicoUSD {
    let cushion = variance == .none ? cushion : (self.variance + variance).cushion
    return held + cushion + claims.others
  }

  /// Whether the budget has no room for `reserved`, or would not, if it only watches.
  func isShort(of reserved: ReservedAmount) -> Bool {
    if mode == .freeze || isForWantOfRoom { return true }
    guard limit != BudgetCatalog.unlimited, isAsked else { return false }
    return compared >= limit || compared + kept(adding: reserved.variance) + reserved.amount > limit
  }

  mutating func judge(_ reserved: ReservedAmount, at now: Timestamp) {
    verdict = .admits
    let isShort = isShort(of: reserved)
    wouldDeny = isShort && mode == .shadow
    if isLimited, !isForWantOfRoom, let ceiling = claims.ceiling, life == 0 || hasOwnCeiling {
      judge(reserved, by: ceiling, at: now)
    } else if isLimited, hasAllowance, !isForWantOfRoom {
      judgeByAllowance(reserved)
    } else if isShort, mode != .shadow {
      verdict = .denies
    }
  }

  /// In a fleet that asks for everything: what is spent never comes back, so that alone denies. What is
  /// reserved may be free again, and what others claim is old news: whatever else lacks is asked for.
  private mutating func judge(
    _ reserved: ReservedAmount, by ceiling: PicoUSD, at now: Timestamp
  ) {
    // A ceiling holds whatever an outage has set aside of the limit.
    let spent = compared - withheld
    if spent >= limit || spent + reserved.amount > limit {
      verdict = .denies
      return
    }
    let isOfWindow = claims.windowStart == nil || claims.windowStart == windowStart
    let usable = isOfWindow && now <= claims.usableUntil ? ceiling : .zero
    let use = need(of: reserved) + held + cushion
    if own + use > usable || spent + use > limit { verdict = .lacks }
  }

  /// Of a name's budget a node holds a small part of what is left without asking: there may be a million
  /// of them, most of them far from their limits.
  private mutating func judgeByAllowance(_ reserved: ReservedAmount) {
    if compared >= limit || compared + reserved.amount > limit {
      verdict = .denies
      return
    }
    let use = need(of: reserved) + held + cushion
    if !Allowance.covers(use, ofLeft: limit - compared - claims.others) { verdict = .lacks }
  }

  /// How much more is kept back here with `reserved` than without.
  func need(of reserved: ReservedAmount) -> PicoUSD {
    reserved.amount + kept(adding: reserved.variance) - held - cushion - claims.others
  }

  /// The fleet was asked, and has no room for `reserved` either: at least so much more is claimed by
  /// others than was heard last.
  mutating func refuse(_ reserved: ReservedAmount) {
    verdict = .denies
    let room = rest(beside: reserved)
    if room >= .zero { claims.others += room + Self.leastShown }
  }

  private func rest(beside reserved: ReservedAmount) -> PicoUSD {
    limit - compared - kept(adding: reserved.variance) - reserved.amount
  }

  /// A micro-dollar: less is not seen in a sentence.
  private static let leastShown = PicoUSD(pico: 1_000_000)

  /// The denial of `reserved`.
  func denial(_ reserved: ReservedAmount, candidate: UInt32) -> BudgetDenial {
    // The part that was kept back before: what this one would add stands on the other side.
    let kept = held + cushion + claims.others
    var denial = BudgetDenial(
      candidate: candidate, scope: scope, slot: slot, spend: compared + kept, withheld: withheld,
      reserved: kept, limit: limit, mode: mode, resetsAt: resetsAt)
    denial.needed = need(of: reserved)
    denial.life = life
    denial.home = home
    denial.isForWantOfRoom = isForWantOfRoom
    return denial
  }
}

/// The part of what is left of a name's budget that a node keeps back without telling the fleet.
enum Allowance {
  /// 5 %: with n nodes a limit is passed by (n - 1) times as much of what was left, at the most.
  private static let parts: Int128 = 20

  static func covers(_ use: PicoUSD, ofLeft left: PicoUSD) -> Bool {
    use.pico * parts <= left.pico
  }
}

/// A budget that the fleet is to be asked for.
public struct LackingRoom: Hashable, Sendable {
  /// The budget's slot.
  public var slot: Int32
  /// The life of the slot, where it is a dynamic budget's; else 0.
  public var life: UInt32
  /// How much more the node needs there.
  public var needed: PicoUSD
}

/// A lane's scratch for requests for reservations; reused from one to the next.
public struct ReservationAttempt: Sendable {
  /// How many denials to list; the rest is counted.
  public var maximumDenials = Int.max
  /// After `denied`: every budget that lacks room.
  public private(set) var denials: [BudgetDenial] = []
  /// How many denials are past the bound.
  public private(set) var denialsOmitted: UInt32 = 0
  /// After `deferred`: the budgets that the fleet is to be asked for.
  public private(set) var lacking: [LackingRoom] = []
  /// The budgets concerned, in the order of their locks; only where each has to be looked at closely.
  var rooms: [SlotRoom] = []
  /// The slab that reservations without a key go to.
  var slabs = Reservations.SlabRun()
  /// The slots of all budgets concerned, in the order of their locks.
  private(set) var order: [Int32] = []
  /// Whether an entry of the configuration gives each budget: most requests are admitted by a comparison
  /// for each then, and no room is filled.
  private(set) var isPlain = false
  private var isFree = false
  var candidate: UInt32?
  /// Whether the fleet is asked for more of names' budgets than an allowance.
  private var asksForNames = false
  /// Whether some budget that all candidates have in common denied the last attempt.
  private(set) var isDeniedForAll = false
  /// The amount as it was judged last.
  private(set) var judged = ReservedAmount(.zero)

  /// Makes an empty one.
  public init() {}

  /// `isFree`: of a candidate that costs nothing, which only its own provider and deployment and what is
  /// frozen keep out.
  mutating func begin(
    candidate: UInt32? = nil, isFree: Bool = false, askingForNames asksForNames: Bool
  ) {
    if !denials.isEmpty { denials.removeAll(keepingCapacity: true) }
    if !lacking.isEmpty { lacking.removeAll(keepingCapacity: true) }
    if !rooms.isEmpty { rooms.removeAll(keepingCapacity: true) }
    denialsOmitted = 0
    isDeniedForAll = false
    self.candidate = candidate
    self.isFree = isFree
    self.asksForNames = asksForNames
  }

  /// Every budget has room for `reserved` as it was asked for.
  mutating func admit(_ reserved: ReservedAmount) { judged = reserved }

  /// The verdict of all budgets together on `judged`, once each was looked at.
  mutating func judge(_ asked: ReservedAmount, at now: Timestamp) -> SlotRoom.Verdict {
    let reserved = fitted(asked)
    judged = reserved
    var verdict = SlotRoom.Verdict.admits
    var rooms = rooms.mutableSpan
    for index in rooms.indices {
      rooms[index].judge(reserved, at: now)
      switch rooms[index].verdict {
      case .admits: break
      case .denies: verdict = .denies
      case .lacks: if verdict == .admits { verdict = .lacks }
      }
    }
    return verdict
  }

  /// An estimate as it fits the budgets in which nothing is reserved.
  private func fitted(_ asked: ReservedAmount) -> ReservedAmount {
    guard asked.isEstimated else { return asked }
    var greatest: PicoUSD?
    for index in rooms.indices {
      guard let bound = rooms[index].greatestEstimate else { continue }
      greatest = min(greatest ?? bound, bound)
    }
    guard let greatest else { return asked }
    var fitted = asked
    fitted.amount = min(asked.amount, greatest)
    let cushion = greatest - fitted.amount
    if asked.variance.cushion > cushion { fitted.variance = CostVariance(ofCushion: cushion) }
    return fitted
  }

  /// Lists the budgets that deny what was judged.
  mutating func noteDenials() {
    var denying = rooms.indices.filter { rooms[$0].verdict == .denies }
    // Not in that of their locks: slots are handed out again, and one budget's differ from node to node.
    denying.sort { rooms[$0].place < rooms[$1].place }
    for index in denying {
      if rooms[index].scope == .tag || rooms[index].scope == .total { isDeniedForAll = true }
      if denials.count < maximumDenials {
        denials.append(rooms[index].denial(judged, candidate: candidate ?? 0))
      } else {
        denialsOmitted += 1
      }
    }
  }

  /// After `deferred`: budgets that lack room deny where the fleet has refused it. Of the others nothing is
  /// known. False: it has refused none.
  mutating func denyLacking(where isRefused: (LackingRoom) -> Bool) -> Bool {
    var refused: Set<Int32> = []
    for room in lacking where isRefused(room) { refused.insert(room.slot) }
    if refused.isEmpty { return false }
    lacking.removeAll(keepingCapacity: true)
    for index in rooms.indices where refused.contains(rooms[index].slot) {
      rooms[index].refuse(judged)
    }
    noteDenials()
    return true
  }

  mutating func noteLacking() {
    for index in rooms.indices where rooms[index].verdict == .lacks {
      lacking.append(
        LackingRoom(
          slot: rooms[index].slot, life: rooms[index].life,
          needed: rooms[index].need(of: judged)))
    }
  }

  /// Puts the budgets of `charged` in the order of their locks.
  mutating func arrange(_ charged: borrowing ChargedSlots) {
    order.removeAll(keepingCapacity: true)
    for index in charged.slots.indices { order.append(charged.slots[index]) }
    for index in charged.frozen.indices { order.append(charged.frozen[index]) }
    putInOrder()
    isPlain = !isFree && !charged.dependsOnPatterns
  }

  /// Makes a room of each budget of `charged`, which was arranged.
  mutating func fillRooms(_ charged: borrowing ChargedSlots, in catalog: BudgetCatalog) {
    for index in order.indices {
      let slot = order[index]
      rooms.append(
        SlotRoom(
          slot, pattern: charged.pattern(of: slot), life: charged.life(of: slot), in: catalog))
      let room = rooms.count - 1
      rooms[room].place = charged.position(of: slot)
      rooms[room].hasAllowance = asksForNames && rooms[room].life != 0
      guard isFree else { continue }
      rooms[room].isAsked = rooms[room].scope == .provider || rooms[room].scope == .deployment
    }
  }

  private mutating func putInOrder() {
    var order = order.mutableSpan
    // A few.
    for index in order.indices.dropFirst() {
      let slot = order[index]
      var place = index
      while place > 0, BudgetShards.precedes(slot, order[place - 1]) {
        order[place] = order[place - 1]
        place -= 1
      }
      order[place] = slot
    }
  }
}

extension SlotRoom {
  fileprivate init(_ slot: Int32, pattern: Int32?, life: UInt32, in catalog: BudgetCatalog) {
    guard let pattern = pattern.map({ Int($0) }) else {
      let (limit, mode) = catalog.policies.inForce(of: slot)
      let scope = catalog.frozen.scope(of: slot) ?? catalog.keys.scope(of: slot)
      self.init(slot: slot, life: 0, scope: scope, limit: limit, mode: mode, countedAt: slot)
      return
    }
    let patterns = catalog.patterns
    let isOverflow = life == 0 && slot == patterns.overflows[pattern]
    let (limit, mode) = catalog.policies.inForce(
      ofDynamic: slot, under: patterns.policy(pattern))
    self.init(
      slot: slot, life: life, scope: patterns.definitions[pattern].key.scope,
      limit: isOverflow ? BudgetCatalog.unlimited : limit, mode: mode,
      countedAt: patterns.overflows[pattern])
    isForWantOfRoom = isOverflow && mode == .enforce && patterns.full == .deny
  }
}
