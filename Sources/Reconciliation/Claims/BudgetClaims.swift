import BudgetModel

/// This node's claim on one budget, as far as the store has answered.
///
/// A value without clock and store. A claim is what the node may spend beyond the spend that it has
/// told in the same call; the two together are its ceiling, which a commit does not move.
struct BudgetClaims {
  /// The last answered call that left a claim; 0: none, or the claim has ended since.
  private(set) var answered: Int64 = 0
  /// When that claim ends in the store, fleet time.
  private var endsAt = Timestamp(unixMilliseconds: 0)
  /// The claim in the store, and what it makes together with the spend told beside it.
  private(set) var claimed = PicoUSD.zero
  private(set) var ceiling = PicoUSD.zero
  /// The part of the limit that was neither spent nor claimed; nil: not heard in this window.
  private(set) var free: PicoUSD?
  private(set) var claimants = 1
  private(set) var others = PicoUSD.zero
  /// When the last call was sent that was answered.
  private(set) var heardAt: Timestamp?
  private(set) var isLearning = false
  var pace = UsePace()
  /// Whether the node holds something back in the budget, or would like to.
  var isWanted = false
  /// Whether a call was sent since that was not answered: what it claims may stand in the store.
  var isUnanswered = false
  /// Whether this node has told the store which of its lives have ended.
  private(set) var hasTold = false
  /// The fleet's greatest total that was heard in this window.
  private var known = PicoUSD.zero
  /// The use when it was looked at last.
  private(set) var use = NodeUse(committed: .zero)
  /// Until then the store refuses calls about its claims' key.
  var refusedUntil: Timestamp?
  /// Until then the store's list of claimed budgets names this one.
  private var listedUntil = Timestamp(unixMilliseconds: 0)

  /// A call under way.
  struct Offer {
    var call: ClaimCall
    /// The spend that stands beside the claim in the call.
    var told: PicoUSD
    var sentAt: Timestamp
    /// Whether raises were asked for.
    var raises: Bool
  }

  /// The facts that a call is made from.
  struct Occasion {
    var mode: ClaimMode
    /// Nil: nothing is denied by it.
    var limit: PicoUSD?
    var now: Timestamp
    /// The spend that the call tells.
    var told: PicoUSD
    /// The fleet's total, as far as it is known.
    var total: PicoUSD
    /// Amounts that wait for room, first come first.
    var waiting: [PicoUSD]
    /// The surplus that those need who wait for room in another budget.
    var kept = PicoUSD.zero
    /// How long the longest that waits would be held.
    var waitingTime = Duration.zero
    /// The store was away for so long that others' claims may have ended: no raise is asked for.
    var isBackFromAbsence: Bool
    /// From one pass to the next.
    var interval: Duration
    var terms: ClaimTerms
  }

  /// A surplus below that is not worth a call.
  func unit(_ terms: ClaimTerms) -> PicoUSD {
    PicoUSD(pico: pace.typical.pico * Int128(terms.unitReservations))
  }

  /// Whether so little is free that what is freed goes back at once.
  func isNearLimit(_ terms: ClaimTerms) -> Bool {
    guard let free else { return false }
    return free.pico < 4 * Int128(max(1, claimants)) * unit(terms).pico
  }

  /// How far the ceiling should run ahead of the use, before what is free is looked at.
  func wish(_ occasion: Occasion) -> PicoUSD {
    pace.use(in: occasion.interval * 2, at: occasion.now)
  }

  /// How much of its surplus the node keeps.
  func target(surplus: PicoUSD, _ occasion: Occasion) -> PicoUSD {
    guard let free else { return .zero }
    let room = PicoUSD(pico: (free + surplus).pico / (2 * Int128(max(1, claimants))))
    let target = min(wish(occasion), room)
    return target < unit(occasion.terms) ? .zero : target
  }

  // MARK: - A call

  /// The use is looked at.
  mutating func note(_ use: NodeUse, _ occasion: Occasion) {
    self.use = use
    known = max(known, occasion.total)
    pace.note(use, waiting: occasion.waiting, at: occasion.now)
  }

  /// Lowers the ceiling to what is needed and makes the call that says so. Under the budget's lock: no
  /// reservation comes in between.
  func offer(_ use: NodeUse, _ claims: inout NodeClaims, _ occasion: Occasion) -> Offer {
    let (now, terms) = (occasion.now, occasion.terms)
    var kept = PicoUSD.zero
    if occasion.mode == .strict {
      let surplus = claims.surplus(beyond: use, at: now)
      kept = min(surplus, max(target(surplus: surplus, occasion), occasion.kept))
      // Lower first, then send: the store never knows of less than is in use.
      claims.lower(to: use, keeping: kept)
    } else {
      claims.ceiling = nil
    }
    let needed = use.total + kept
    let raises = occasion.mode == .strict && occasion.limit != nil && !occasion.isBackFromAbsence
    var call = ClaimCall(
      origin: "", number: 0, answered: now > endsAt ? 0 : answered,
      keep: max(.zero, needed - occasion.told),
      life: terms.life(
        of: use, waiting: occasion.waitingTime, hasSurplus: occasion.mode == .strict), known: known,
      limit: raises ? occasion.limit : nil)
    if raises {
      call.unit = unit(terms)
      call.ahead = max(.zero, wish(occasion) - kept)
      call.waiting = Array(occasion.waiting.prefix(terms.waitingBound))
    }
    return Offer(call: call, told: occasion.told, sentAt: now, raises: raises)
  }

  /// The call was answered.
  mutating func take(
    _ reply: ClaimReply, to offer: Offer, _ claims: inout NodeClaims, _ occasion: Occasion
  ) {
    known = occasion.total
    others = reply.others
    claimants = reply.claimants
    heardAt = offer.sentAt
    claims.others = others
    (hasTold, isUnanswered) = (true, false)
    guard reply.state != .old else { return }
    isLearning = reply.state == .learning
    // The list may be lost too.
    if isLearning { forgetListing() }
    answered = offer.call.number
    endsAt = offer.sentAt.later(by: offer.call.life)
    claimed = reply.claim
    ceiling = offer.told + reply.claim
    if offer.raises { free = reply.free }
    guard occasion.mode == .strict else {
      (claims.ceiling, claims.isTight, claims.coveredUntil) = (nil, false, .latest)
      return
    }
    claims.ceiling = ceiling
    claims.coveredUntil = endsAt.later(by: .zero - occasion.terms.lifeMargin)
    claims.usableUntil = offer.sentAt.later(by: occasion.terms.useTime - occasion.terms.margin)
    claims.isTight = isNearLimit(occasion.terms)
  }

  /// The window has ended: ceilings are void with it, and claims go on, as what is in flight does.
  mutating func endWindow() {
    ceiling = claimed
    free = nil
    known = .zero
  }

  // MARK: - When to call

  /// Whether anything is claimed of the budget, or should be.
  func isInUse(_ use: NodeUse, _ occasion: Occasion) -> Bool {
    claimed > .zero || isUnanswered || use.held + use.cushion > .zero
      || !occasion.waiting.isEmpty
  }

  /// Whether a pass calls, apart from news of spend and of what waits.
  func needsCall(_ use: NodeUse, _ claims: NodeClaims, _ occasion: Occasion) -> Bool {
    let (now, terms) = (occasion.now, occasion.terms)
    if isUnanswered { return true }
    let silence = heardAt.map { now.unixMilliseconds - $0.unixMilliseconds } ?? .max
    switch occasion.mode {
    case .shared:
      let isRecent =
        pace.grewAt.map {
          now.unixMilliseconds - $0.unixMilliseconds < terms.recentUse.wholeMilliseconds
        } ?? (use.open > 0)
      return isRecent || claimed > .zero
    case .strict:
      // The store may still have a claim that the node has forgotten.
      if heardAt == nil, claims.ceiling ?? .zero > .zero { return true }
      let surplus = max(.zero, ceiling - use.total)
      // Such as what an earlier life of the node has left.
      if use.held > .zero, use.total > ceiling { return true }
      if claimed > .zero {
        if silence >= terms.useTime.wholeMilliseconds / 2 { return true }
        if surplus > max(wish(occasion), occasion.kept) { return true }
        if surplus > .zero, isNearLimit(terms) { return true }
      }
      return isLow(use, claims, occasion)
    }
  }

  /// Whether the surplus runs out soon, and there is enough to be had.
  func isLow(_ use: NodeUse, _ claims: NodeClaims, _ occasion: Occasion) -> Bool {
    let terms = occasion.terms
    let wish = wish(occasion)
    guard occasion.mode == .strict, free != nil, wish >= unit(terms), wish > .zero,
      !isNearLimit(terms)
    else { return false }
    let surplus = claims.surplus(beyond: use, at: occasion.now)
    return surplus.pico < wish.pico / 4
  }

  /// In how long the budget is to be looked at again, however seldom others are; nil: with them.
  func due(_ mode: ClaimMode, _ terms: ClaimTerms) -> Duration? {
    guard mode == .strict, claimed > .zero else { return nil }
    if ceiling > use.total, isNearLimit(terms) { return terms.giveBackInterval }
    // While the fleet learns what was lost, two looks repeat each node's claims.
    return terms.learningTime / 2
  }

  // MARK: - Others

  /// Whether this node has nothing in the budget, and the store knows that.
  var isIdle: Bool { !isUnanswered && claimed == .zero && use.held + use.cushion == .zero }

  /// Whether what was claimed last has ended in the store.
  func hasEnded(at now: Timestamp) -> Bool { now > endsAt && !isWanted }

  /// Others' claims, from elsewhere than a reply.
  mutating func hear(others: PicoUSD) { self.others = others }

  /// Until when the store's list is to name the budget; nil: it does so for long enough, or need not.
  mutating func listing(_ terms: ClaimTerms, at now: Timestamp) -> Timestamp? {
    guard claimed > .zero || isUnanswered else { return nil }
    let needed = max(endsAt, now.later(by: terms.useTime + terms.lifeMargin))
    guard needed > listedUntil else { return nil }
    listedUntil = needed.later(by: terms.listingTime)
    return listedUntil
  }

  /// The store's list may name it no more.
  mutating func forgetListing() { listedUntil = Timestamp(unixMilliseconds: 0) }

  /// Whether a pass has something to look at here.
  var isOfAccount: Bool { isWanted || isUnanswered || claimed > .zero }
}

extension Timestamp {
  func later(by duration: Duration) -> Timestamp {
    StoreNumber.instant(self, plus: duration.wholeMilliseconds)
  }
}
