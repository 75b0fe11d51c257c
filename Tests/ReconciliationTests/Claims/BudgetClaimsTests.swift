import BudgetModel
import RedisStore
import Testing

@testable import Reconciliation

/// A node's dealings with its claims on a budget, rule by rule.
@Suite struct BudgetClaimsTests {
  private let terms = ClaimTerms()
  private let start = Timestamp(unixMilliseconds: 1_000_000)

  private func dollars(_ amount: Double) -> PicoUSD { ClaimRules.dollars(amount) }

  private func later(_ seconds: Double) -> Timestamp {
    Timestamp(unixMilliseconds: start.unixMilliseconds + Int64(seconds * 1_000))
  }

  private func occasion(
    _ seconds: Double = 0, told: Double = 0, waiting: [Double] = [], mode: ClaimMode = .strict,
    isBack: Bool = false
  ) -> BudgetClaims.Occasion {
    BudgetClaims.Occasion(
      mode: mode, limit: dollars(100), now: later(seconds), told: dollars(told), total: .zero,
      waiting: waiting.map(dollars), isBackFromAbsence: isBack, interval: .seconds(1), terms: terms)
  }

  private func use(committed: Double = 0, pending: Double = 0, held: Double = 0, open: Int = 1)
    -> NodeUse
  {
    var use = NodeUse(committed: dollars(committed))
    (use.pending, use.held, use.open) = (dollars(pending), dollars(held), open)
    return use
  }

  private func reply(
    _ claim: Double, free: Double, claimants: Int = 1, others: Double = 0, state: String = "OK"
  ) throws -> ClaimReply {
    try #require(
      ClaimReply([
        state, dollars(claim).twelveDecimals, dollars(others).twelveDecimals,
        dollars(free).twelveDecimals, "\(claimants)", "0",
      ]))
  }

  /// Claims of a budget that was granted `claim` beyond `told` at the start.
  private func granted(
    _ claim: Double, free: Double, told: Double = 0, use: NodeUse
  ) throws -> (BudgetClaims, NodeClaims) {
    var known = BudgetClaims()
    var claims = NodeClaims()
    claims.ceiling = .zero
    let occasion = occasion(told: told, waiting: [claim])
    known.note(use, occasion)
    var offer = known.offer(use, &claims, occasion)
    offer.call.number = 1
    known.take(try reply(claim, free: free), to: offer, &claims, occasion)
    return (known, claims)
  }

  @Test func aCeilingIsTheSpendToldAndTheClaim() throws {
    let use = use(committed: 7, held: 1)
    let (known, claims) = try granted(3, free: 50, told: 6.5, use: use)
    #expect(claims.ceiling == dollars(9.5) && known.ceiling == dollars(9.5))
    #expect(claims.surplus(beyond: use, at: later(0)) == dollars(1.5))
    #expect(claims.admits(dollars(1.5), beyond: use, at: later(9)))
    #expect(!claims.admits(dollars(1.500001), beyond: use, at: later(9)))
    #expect(!claims.admits(dollars(1), cushion: dollars(0.6), beyond: use, at: later(9)))
    // A second before its use ends, nothing more is admitted under it.
    #expect(!claims.admits(dollars(0.000001), beyond: use, at: later(9.001)))
    #expect(claims.surplus(beyond: use, at: later(9.001)) == .zero)
  }

  @Test func surplusGoesBackWhereNobodyNeedsItAndTheCeilingIsLoweredFirst() throws {
    let use = use(committed: 0, held: 1)
    var (known, claims) = try granted(5, free: 50, use: use)
    let idle = occasion(3)
    #expect(known.needsCall(use, claims, idle))
    known.note(use, idle)
    let offer = known.offer(use, &claims, idle)
    // Nothing was used for two passes: all of it goes, before the call is sent.
    #expect(claims.ceiling == dollars(1))
    #expect(offer.call.keep == dollars(1) && offer.call.ahead == .zero)
    #expect(!claims.admits(dollars(0.1), beyond: use, at: later(3)))
  }

  @Test func surplusRunsAheadOfTheUse() throws {
    var (known, claims) = try granted(5, free: 50, use: use(held: 1))
    // Two dollars a second.
    for second in 1...4 {
      known.note(use(held: 1 + 2 * Double(second), open: 100), occasion(Double(second)))
    }
    let occasion = occasion(4)
    #expect(abs(known.wish(occasion).dollars - 4) < 0.000001)
    let now = use(held: 4.5)
    let offer = known.offer(now, &claims, occasion)
    #expect(claims.ceiling == dollars(5) && offer.call.keep == dollars(5))
    #expect(abs(offer.call.ahead.dollars - 3.5) < 0.000001)
  }

  /// A crash has left it: without spend there is no other call.
  @Test func whatAnEarlierLifeHoldsIsTold() {
    var known = BudgetClaims()
    let now = use(held: 4)
    known.note(now, occasion(1))
    #expect(known.needsCall(now, NodeClaims(), occasion(1)))
    #expect(!known.needsCall(use(), NodeClaims(), occasion(1)))
  }

  /// An answer's numbers are a stranger's, and are multiplied and added to.
  @Test func noAnswerIsTooLargeToReckonWith() throws {
    let most = String(repeating: "9", count: 24) + ".999999999999"
    let reply = try #require(ClaimReply(["OK", most, most, most, "\(Int.max)", "0"]))
    #expect(reply.claim == ClaimCall.largest && reply.claimants == ClaimReply.mostClaimants)
    let use = use(held: 9e9)
    var (known, claims) = try granted(3, free: 50, use: use)
    let occasion = occasion(1)
    let offer = known.offer(use, &claims, occasion)
    known.take(reply, to: offer, &claims, occasion)
    #expect(!known.isNearLimit(terms) && known.target(surplus: .zero, occasion) == .zero)
    #expect(known.others == reply.others && claims.ceiling.map { $0 >= ClaimCall.largest } == true)
  }

  @Test func whatThoseNeedWhoWaitElsewhereStays() throws {
    var (known, claims) = try granted(9, free: 50, use: use(held: 1))
    var occasion = occasion(3)
    known.note(use(held: 1), occasion)
    occasion.kept = dollars(6)
    let offer = known.offer(use(held: 1), &claims, occasion)
    #expect(claims.ceiling == dollars(7) && offer.call.keep == dollars(7))
  }

  @Test func anOverrunIsClaimedThoughTheCeilingIsLower() throws {
    var (known, claims) = try granted(5, free: 50, use: use(held: 1))
    let now = use(committed: 2, pending: 3, held: 4)
    let offer = known.offer(now, &claims, occasion(1, told: 1))
    #expect(claims.ceiling == dollars(5))
    #expect(offer.call.keep == dollars(8), "spend that is not told yet, pending and held")
  }

  @Test func nearTheLimitFreedAmountsAreTheFleets() throws {
    let before = use(committed: 90, held: 4, open: 2)
    var (known, claims) = try granted(6, free: 1, told: 90, use: before)
    #expect(known.isNearLimit(terms) && claims.isTight)
    let after = use(committed: 90, pending: 0.5, held: 2)
    claims.freed(leaving: after)
    #expect(claims.ceiling == after.total)
    #expect(known.due(.strict, terms) == terms.giveBackInterval)
    known.note(use(committed: 90, held: 6), occasion(1))
    // As often as claims are to be repeated where some were lost.
    #expect(known.due(.strict, terms) == terms.learningTime / 2)
    // Far from the limit they are not.
    let (_, plenty) = try granted(6, free: 60, told: 90, use: before)
    var free = plenty
    free.freed(leaving: after)
    #expect(free.ceiling == plenty.ceiling && !free.isTight)
  }

  @Test func anOldReplyGivesNothing() throws {
    var (known, claims) = try granted(5, free: 50, use: use(held: 1))
    let before = claims.ceiling
    let offer = known.offer(use(held: 5), &claims, occasion(1))
    known.take(try reply(9, free: 9, others: 2, state: "OLD"), to: offer, &claims, occasion(1))
    #expect(claims.ceiling == before && claims.others == dollars(2))
    #expect(known.answered == 1)
  }

  @Test func numbersOfEndedClaimsAreNotTold() throws {
    let use = use(held: 1)
    var (known, claims) = try granted(5, free: 50, use: use)
    #expect(known.offer(use, &claims, occasion(60)).call.answered == 1)
    // 10 s of use, 5 s more, and 120 s of holds.
    #expect(known.offer(use, &claims, occasion(135)).call.answered == 1)
    #expect(known.offer(use, &claims, occasion(135.001)).call.answered == 0)
  }

  @Test func aClaimOutlivesItsHolds() {
    var use = use(held: 1)
    use.longestRest = .seconds(3_000)
    #expect(terms.life(of: use, hasSurplus: true) == .seconds(3_015))
    use.longestRest = .seconds(3)
    #expect(terms.life(of: use, hasSurplus: true) == .seconds(135))
    #expect(terms.life(of: use, hasSurplus: false) == .seconds(18))
  }

  @Test func afterALongAbsenceNoRaiseIsAskedFor() throws {
    var (known, claims) = try granted(5, free: 50, use: use(held: 5))
    let offer = known.offer(use(held: 5), &claims, occasion(1, waiting: [3], isBack: true))
    #expect(offer.call.limit == nil && offer.call.waiting.isEmpty && !offer.raises)
    #expect(known.offer(use(held: 5), &claims, occasion(1, waiting: [3])).call.waiting.count == 1)

    var book = ClaimBook(ReconcilerSettings())
    #expect(!book.isBackFromAbsence(at: later(0)))
    book.answered(at: later(0))
    #expect(!book.isBackFromAbsence(at: later(10)))
    #expect(book.isBackFromAbsence(at: later(10.001)))
    book.answered(at: later(11))
    #expect(book.isBackFromAbsence(at: later(12.999)))
    #expect(!book.isBackFromAbsence(at: later(13)))
  }

  @Test func aSharedBudgetClaimsItsUseAlone() throws {
    var known = BudgetClaims()
    var claims = NodeClaims()
    let occasion = occasion(told: 1, mode: .shared)
    let use = use(committed: 1.5, pending: 0.5, held: 2)
    known.note(use, occasion)
    let offer = known.offer(use, &claims, occasion)
    #expect(offer.call.keep == dollars(3) && offer.call.limit == nil)
    known.take(try reply(3, free: 0, others: 4), to: offer, &claims, occasion)
    #expect(claims.others == dollars(4) && claims.ceiling == nil)
  }

  @Test func nothingClaimedAndNothingWishedCausesNoCall() {
    for mode in ClaimMode.allCases {
      var known = BudgetClaims()
      let spent = use(committed: 5, open: 0)
      for second in 0..<20 { known.note(spent, occasion(Double(second), mode: mode)) }
      let occasion = occasion(20, mode: mode)
      #expect(!known.isInUse(spent, occasion))
      #expect(!known.needsCall(spent, NodeClaims(), occasion), "\(mode)")
    }
  }

  @Test func theWindowsEndVoidsTheCeilingAndKeepsTheClaim() throws {
    var (known, _) = try granted(5, free: 50, told: 40, use: use(committed: 40, held: 5))
    known.endWindow()
    #expect(known.claimed == dollars(5) && known.ceiling == dollars(5) && known.free == nil)
    #expect(known.answered == 1)
  }
}

/// Who waits for what, and who is told what.
@Suite struct WaitingRoomTests {
  /// Room in two budgets comes one after the other: what is there is kept meanwhile.
  @Test func whatAWaiterHasRoomForIsKeptForIt() {
    var room = WaitingRoom()
    room.enter(1, lacking: [lack("a", 3), lack("b", 2)], until: .seconds(1))
    _ = room.takeWaiting(for: key("a"))
    _ = room.takeWaiting(for: key("b"))
    #expect(
      room.answered(key("a"), free: .zero, at: .zero) { _ in .lacking([lack("b", 2)]) } == [])
    #expect(room.kept(of: key("a")).dollars == 3 && room.kept(of: key("b")) == .zero)
    // It lacks the first again, and no call has asked for it since: it is not refused.
    #expect(
      room.answered(key("b"), free: nil, at: .zero) { _ in .lacking([lack("a", 3)]) } == [])
    #expect(room.kept(of: key("a")) == .zero && room.kept(of: key("b")).dollars == 2)
    #expect(
      room.answered(key("a"), free: .zero, at: .zero) { _ in .lacking([lack("a", 3)]) } == [])
    room.leave(1)
    #expect(room.kept(of: key("b")) == .zero && room.count == 0)
  }

  private func key(_ name: String) -> BudgetKey {
    BudgetKey(scope: .provider, name: name, windowText: "1d")
  }

  private func lack(_ name: String, _ amount: Int64) -> WaitingRoom.Lack {
    WaitingRoom.Lack(key(name), PicoUSD(dollars: amount))
  }

  @Test func firstComeFirst() {
    var room = WaitingRoom()
    for ticket in 1...3 {
      room.enter(UInt64(ticket), lacking: [lack("a", Int64(ticket))], until: .seconds(1))
    }
    #expect(room.takeWaiting(for: key("a")) == (1...3).map { PicoUSD(dollars: $0) })
    var tried: [UInt64] = []
    let refused = room.answered(key("a"), free: .zero, at: .zero) { ticket in
      tried.append(ticket)
      return ticket == 2 ? .lacking([lack("a", 2)]) : .decided
    }
    #expect(tried == [1, 2, 3] && refused == [2] && room.count == 0)
    #expect(room.budgets.isEmpty && room.takeWaiting(for: key("a")).isEmpty)
    // So much, or more, would be refused again; less would perhaps not.
    #expect(room.isRefused(lack("a", 2), at: .milliseconds(99)))
    #expect(room.isRefused(lack("a", 3), at: .milliseconds(99)))
    #expect(!room.isRefused(lack("a", 1), at: .milliseconds(99)))
    #expect(!room.isRefused(lack("b", 2), at: .milliseconds(99)))
    #expect(!room.isRefused(lack("a", 2), at: .milliseconds(100)))
  }

  /// Records that came between a call and its answer have taken what was granted. There is room for all
  /// that, so that nobody is refused, and nothing is remembered.
  @Test func nobodyIsRefusedWhatIsFree() {
    var room = WaitingRoom()
    room.enter(1, lacking: [lack("a", 2)], until: .seconds(1))
    _ = room.takeWaiting(for: key("a"))
    let free = PicoUSD(dollars: 2)
    #expect(
      room.answered(key("a"), free: free, at: .zero) { _ in .lacking([lack("a", 2)]) } == [])
    #expect(room.count == 1 && !room.isRefused(lack("a", 2), at: .zero))
    // It is listed again.
    #expect(room.takeWaiting(for: key("a")) == [PicoUSD(dollars: 2)])
    let less = PicoUSD(dollars: 1)
    #expect(
      room.answered(key("a"), free: less, at: .zero) { _ in .lacking([lack("a", 2)]) } == [1])
    #expect(room.isRefused(lack("a", 2), at: .zero))
  }

  @Test func whoWasNotListedGoesOnWaiting() {
    var room = WaitingRoom()
    room.enter(1, lacking: [lack("a", 1)], until: .seconds(1))
    #expect(room.takeWaiting(for: key("a")).count == 1)
    room.enter(2, lacking: [lack("a", 1)], until: .seconds(1))
    let refused = room.answered(key("a"), free: .zero, at: .zero) { _ in
      .lacking([lack("a", 1)])
    }
    #expect(refused == [1] && room.count == 1)
    // A call that could grant nothing refuses nobody.
    _ = room.takeWaiting(for: key("a"))
    #expect(
      room.answered(key("a"), free: nil, at: .zero) { _ in .lacking([lack("a", 1)]) } == [])
    #expect(room.count == 1)
  }

  @Test func aReservationWaitsInEachBudgetThatItLacks() {
    var room = WaitingRoom()
    room.enter(1, lacking: [lack("a", 1), lack("b", 2)], until: .seconds(1))
    #expect(Set(room.budgets) == [key("a"), key("b")])
    #expect(room.takeWaiting(for: key("b")) == [PicoUSD(dollars: 2)])
    // Room in b: it waits for a alone.
    #expect(
      room.answered(key("b"), free: .zero, at: .zero) { _ in .lacking([lack("a", 1)]) } == [])
    #expect(room.budgets == [key("a")])
    // And now for another one.
    #expect(
      room.answered(key("a"), free: nil, at: .zero) { _ in .lacking([lack("c", 1)]) } == [])
    #expect(room.budgets == [key("c")] && room.count == 1)
    room.leave(1)
    #expect(room.count == 0 && room.budgets.isEmpty)
  }

  /// A hold that is to last longer needs no room, and its delay refuses nobody anything.
  @Test func anExtensionWaitsToBeTold() {
    var room = WaitingRoom()
    let lacks = [WaitingRoom.Lack(key("a"), .zero, for: .seconds(600))]
    room.enter(1, lacking: lacks, until: .seconds(1))
    room.enter(
      2, lacking: [WaitingRoom.Lack(key("a"), .zero, for: .seconds(60))], until: .seconds(1))
    #expect(room.longestTime(for: key("a")) == .seconds(600))
    #expect(room.longestTime(for: key("b")) == .zero)
    #expect(room.takeWaiting(for: key("a")) == [.zero, .zero])
    #expect(room.answered(key("a"), free: .zero, at: .zero) { _ in .lacking(lacks) } == [])
    #expect(!room.isRefused(lack("a", 1), at: .milliseconds(1)) && room.count == 2)
  }

  @Test func nobodyWaitsForEver() {
    var room = WaitingRoom()
    room.enter(1, lacking: [lack("a", 1)], until: .seconds(2))
    room.enter(2, lacking: [lack("a", 1)], until: .seconds(1))
    #expect(room.nextDeadline == .seconds(1))
    #expect(room.takeOverdue(at: .milliseconds(999)) == [])
    #expect(room.takeOverdue(at: .seconds(1)) == [2])
    #expect(room.takeAll() == [1] && room.count == 0 && room.nextDeadline == nil)
  }

  @Test func sixtyFourAreListedAtOnce() {
    var room = WaitingRoom()
    for ticket in 0..<70 {
      room.enter(UInt64(ticket), lacking: [lack("a", 1)], until: .seconds(1))
    }
    #expect(room.takeWaiting(for: key("a")).count == 64)
    let refused = room.answered(key("a"), free: .zero, at: .zero) { _ in
      .lacking([lack("a", 1)])
    }
    #expect(refused.count == 64 && room.count == 6)
  }

  @Test func callsOnDemandKeepTheirDistance() {
    var pace = DemandPace()
    #expect(pace.wait(at: .zero) == .zero)
    pace.called(at: .seconds(1), learning: false)
    #expect(pace.wait(at: .seconds(1) + .milliseconds(2)) == .milliseconds(3))
    #expect(pace.wait(at: .seconds(1) + .milliseconds(5)) == .zero)
    pace.called(at: .seconds(2), learning: true)
    #expect(pace.wait(at: .seconds(2) + .milliseconds(5)) == .milliseconds(95))
    pace.called(at: .seconds(3), learning: false)
    #expect(pace.wait(at: .seconds(3) + .milliseconds(5)) == .zero)
  }
}
