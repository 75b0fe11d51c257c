import BudgetModel
import Testing

@testable import BudgetAlerts

/// A node without a fleet, in virtual time. In fleets: BudgetFleetTests.
@Suite struct AlertBookTests {
  private static let times = AlertTimes(timeout: .seconds(10))

  private func book(_ kept: [AlertBook.Kept] = []) -> AlertBook {
    AlertBook(Self.times, isShared: false, restoring: kept)
  }

  /// Begins the next attempt, where one may begin.
  private func begin(_ book: inout AlertBook, at now: Duration) -> AlertBook.Attempt? {
    book.claimable(at: now).flatMap {
      book.begin($0.id, generation: $0.generation, asked: now)
    }
  }

  @Test func anAlertIsDeliveredOnce() throws {
    var book = book()
    let alert = AlertSamples.alert()
    #expect(book.take(alert) == .taken && book.waiting == 1)
    #expect(book.take(alert) == .taken && book.waiting == 1)
    let attempt = try #require(begin(&book, at: .zero))
    #expect(attempt.id == alert.id && attempt.generation == 0)
    #expect(attempt.mayBegin(at: .seconds(5)) && !attempt.mayBegin(at: .milliseconds(5_001)))
    #expect(begin(&book, at: .zero) == nil, "one at a time")
    book.ended(attempt, .delivered, at: .seconds(1))
    #expect(book.counts.sent == 1 && book.waiting == 0)
    #expect(book.take(alert) == .taken && begin(&book, at: .seconds(99)) == nil)
    let rows = book.takeUnwritten()
    #expect(rows.kept.map(\.id) == [alert.id] && rows.kept.map(\.family) == [alert.family])
    #expect(book.takeUnwritten().kept.isEmpty)
    // The next life knows it.
    var next = self.book(rows.kept)
    #expect(next.take(alert) == .taken && next.waiting == 0)
  }

  @Test func attemptsComeMoreAndMoreSeldom() throws {
    var book = book()
    _ = book.take(AlertSamples.alert())
    var now = Duration.zero
    var pauses: [Int64] = []
    while let attempt = begin(&book, at: now) {
      book.ended(attempt, .failed, at: now)
      var pause = Duration.zero
      while book.claimable(at: now + pause) == nil, pause < .seconds(1_000) { pause += .seconds(1) }
      pauses.append(pause.wholeMilliseconds / 1_000)
      now += pause
    }
    #expect(pauses.prefix(10) == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300])
    #expect(pauses.count == AlertTimes.mostAttempts)
    #expect(now > .seconds(5 * 3_600) && now < .seconds(7 * 3_600))
    #expect(book.counts.failed == 80 && book.counts.droppedForAttempts == 1)
    #expect(book.take(AlertSamples.alert()) == .taken && book.waiting == 0)
  }

  @Test func anAttemptThatWasNotBegunIsNoFailure() throws {
    var book = book()
    _ = book.take(AlertSamples.alert())
    let attempt = try #require(begin(&book, at: .zero))
    book.ended(attempt, .notBegun, at: .seconds(9))
    #expect(book.counts.failed == 0)
    let second = try #require(begin(&book, at: .seconds(10)))
    #expect(second.generation == 1)
    // News of the first one come too late to count.
    book.ended(attempt, .delivered, at: .seconds(10))
    #expect(book.counts.sent == 0 && book.waiting == 1)
  }

  @Test func oneThatFailsHoldsUpNoOther() throws {
    var book = book()
    _ = book.take(AlertSamples.alert("a"))
    _ = book.take(AlertSamples.alert("b"))
    let first = try #require(begin(&book, at: .zero))
    book.ended(first, .failed, at: .zero)
    let second = try #require(begin(&book, at: .zero))
    #expect(first.alert.budget.key.name == "a" && second.alert.budget.key.name == "b")
    book.ended(second, .delivered, at: .zero)
    #expect(book.waiting == 1)
  }

  @Test func whatCameTooLateIsDroppedAndCounted() {
    var book = book()
    let alert = AlertSamples.alert()
    _ = book.take(alert)
    let end = alert.budget.window.end.unixMilliseconds
    book.expire(at: Timestamp(unixMilliseconds: end + 3_600_000))
    #expect(book.waiting == 1, "an hour after the window it may still come")
    book.expire(at: Timestamp(unixMilliseconds: end + 3_600_001))
    #expect(book.waiting == 0 && book.counts.droppedForTime == 1)
  }

  @Test func rowsGoWhenTheirWindowIsOver() throws {
    var book = book()
    let alert = AlertSamples.alert()
    _ = book.take(alert)
    let attempt = try #require(begin(&book, at: .zero))
    book.ended(attempt, .delivered, at: .zero)
    _ = book.takeUnwritten()
    book.expire(at: alert.budget.window.end)
    #expect(book.takeUnwritten().over.isEmpty)
    book.expire(
      at: Timestamp(unixMilliseconds: alert.budget.window.end.unixMilliseconds + 3_600_001))
    #expect(book.takeUnwritten().over == [alert.id] && book.families.isEmpty)
  }

  @Test func soManyWaitAndNoMore() {
    var book = book()
    for number in 0..<AlertBook.mostWaiting {
      #expect(book.take(AlertSamples.alert("\(number)")) == .taken)
    }
    #expect(book.take(AlertSamples.alert("one more")) == .full)
    #expect(book.waiting == AlertBook.mostWaiting)
    book.giveUp()
    #expect(book.waiting == 0 && book.take(AlertSamples.alert("one more")) == .taken)
  }

  @Test func aNodeThatEndsBeginsNothing() throws {
    var book = book()
    _ = book.take(AlertSamples.alert("a"))
    _ = book.take(AlertSamples.alert("b"))
    let attempt = try #require(begin(&book, at: .zero))
    book.isClosing = true
    book.ended(attempt, .delivered, at: .zero)
    #expect(begin(&book, at: .seconds(9)) == nil && book.takeUnwritten().kept.count == 1)
  }
}
