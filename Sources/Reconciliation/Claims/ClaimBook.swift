import BudgetModel
import RedisStore

/// The memory that a node's calls about claims share, whichever budget they are about.
struct ClaimBook {
  /// Numbers the calls, so that no two of this life share one.
  private var number: Int64 = 0
  /// When a call was answered last.
  private(set) var answeredAt: Timestamp?
  /// Until then no raise is asked for: the node was away for long.
  private(set) var raisesFrom: Timestamp?
  /// Why the store's user may not keep claims; nil: nothing is known against it.
  private(set) var refusal: String?
  /// Which budgets are claimed by anybody.
  var listing = ClaimListing()
  let terms: ClaimTerms
  private let interval: Duration

  /// How long a budget does without claims after the store has refused a call about them.
  private static let refusalMemory = Duration.seconds(60)

  init(_ settings: ReconcilerSettings) {
    terms = settings.claims
    interval = settings.interval
  }

  mutating func linkWasMade() {
    refusal = nil
    listing.linkWasMade()
  }

  /// Whether others' claims may have ended meanwhile.
  func isBackFromAbsence(at now: Timestamp) -> Bool {
    if let raisesFrom, now < raisesFrom { return true }
    guard let answeredAt else { return false }
    return now > answeredAt.later(by: terms.useTime)
  }

  /// A call that was sent at `sent` was answered.
  mutating func answered(at sent: Timestamp) {
    if let answeredAt, sent > answeredAt.later(by: terms.useTime) {
      raisesFrom = sent.later(by: terms.learningTime)
    }
    answeredAt = sent
  }

  private func occasion(
    _ state: BudgetState, waiting: [PicoUSD], at now: Timestamp
  ) -> BudgetClaims.Occasion {
    BudgetClaims.Occasion(
      mode: state.mode, limit: state.isBounding ? state.limit : nil, now: now,
      told: state.record.flatMap { state.windows[$0.start]?.sum } ?? .zero,
      total: state.total ?? .zero, waiting: waiting,
      isBackFromAbsence: isBackFromAbsence(at: now), interval: interval, terms: terms)
  }

  /// The part of a call that is about the budget's claims; nil: nothing is said of them. `needsMerge`:
  /// there will be a call anyway.
  mutating func offer(
    for state: inout BudgetState, _ node: some FleetNode, needsMerge: Bool
  ) -> BudgetClaims.Offer? {
    guard var known = state.claims, let record = state.record, refusal == nil, !state.isBroken
    else { return nil }
    let now = node.now()
    if let refused = known.refusedUntil, now < refused { return nil }
    var occasion = occasion(state, waiting: node.takeWaiting(for: state.key), at: now)
    occasion.kept = node.keptForWaiting(of: state.key)
    occasion.waitingTime = node.waitingTime(for: state.key)
    var offer: BudgetClaims.Offer?
    node.changeClaims(of: state.key, inWindowFrom: record.start) { use, claims in
      // An operator may have changed the limit of one name.
      if state.dynamic != nil { occasion.limit = use.limit }
      known.note(use, occasion)
      let isCalled = !occasion.waiting.isEmpty || needsMerge && known.isInUse(use, occasion)
      guard isCalled || known.needsCall(use, claims, occasion) else { return }
      offer = known.offer(use, &claims, occasion)
    }
    if offer != nil {
      number += 1
      offer?.call.number = number
      offer?.call.origin = node.origin
      if !known.hasTold { offer?.call.gone = node.endedLives }
      known.isUnanswered = true
    }
    state.claims = known
    return offer
  }

  /// Takes the part of the script's answer that is about claims.
  mutating func take(
    _ answer: RedisValue, to merge: MergeBatch.Merge, for state: inout BudgetState,
    _ node: some FleetNode
  ) -> ClaimReply.State? {
    guard let offer = merge.offer, let record = state.record, var known = state.claims,
      let reply = MergeReply.read(answer, to: merge.call)?.claim
    else { return nil }
    answered(at: offer.sentAt)
    let occasion = occasion(state, waiting: [], at: offer.sentAt)
    var isTaken = false
    node.changeClaims(of: state.key, inWindowFrom: record.start) { _, claims in
      known.take(reply, to: offer, &claims, occasion)
      isTaken = true
    }
    state.claims = known
    if known.others > .zero { listing.noteShown(state.key) }
    // Another window is open: those that wait are listed again with the next call.
    if isTaken {
      node.answerWaiting(
        for: state.key, free: offer.raises && reply.state == .granted ? reply.free : nil)
    }
    return reply.state
  }

  /// The store refused a call that had a claim: spend goes on without claims. Whether it was for that.
  mutating func passOver(
    _ refusal: RedisRefusal, for state: inout BudgetState, at now: Timestamp
  ) -> Bool {
    guard refusal.isForWantOfRights || refusal.isAboutOneKey else { return false }
    if refusal.isForWantOfRights {
      self.refusal = refusal.text
    } else {
      // Whether it was the claims' key is told by the next call, which is without it.
      state.claims?.refusedUntil = now.later(by: Self.refusalMemory)
    }
    state.claims?.isUnanswered = false
    return true
  }
}

extension RedisRefusal {
  /// Whether the store's user may not do it. What a script may not do Redis says in words of its own.
  var isForWantOfRights: Bool {
    kind == .noPermission || text.contains("The user executing the script can't")
      || text.contains("ACL failure in script")
  }
}
