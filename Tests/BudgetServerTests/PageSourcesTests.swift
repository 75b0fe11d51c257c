import BudgetModel
import BudgetPages
import BudgetWire
import SpendLedger
import Testing

@testable import BudgetServer

/// The facts that the server gives its pages.
@Suite struct PageSourcesTests {
  @Test func methodsShowWhatWasAnsweredAndWhatIsExpected() throws {
    var totals = RequestTotals()
    let ping = MethodName.ping.position
    totals.answers[ping][Int(StatusCode.unavailable.rawValue)] = 3
    totals.answers[CountedMethod.unknown][Int(StatusCode.invalidArgument.rawValue)] = 2
    totals.answers[MethodName.reserveSpend.position][
      Int(StatusCode.resourceExhausted.rawValue)] = 1
    totals.denials = [4, 5, 6, 0, 0, 0]
    (totals.denialsOmitted, totals.repliesShortened, totals.contradictions) = (7, 8, 9)
    let counters = ServiceCounters()
    counters.countUnusable(.model, .tooLong, times: 10)
    counters.countUnresolvedModels(11)
    counters.countUnbudgetedRecord()
    let reading = RequestReading(totals, counters)
    #expect(reading.methods.map(\.name) == CountedMethod.names)
    func shown(_ position: Int) -> [String] {
      reading.methods[position].answers.map { "\($0.status) \($0.count)" }
    }
    #expect(shown(ping) == ["OK 0", "UNAVAILABLE 3"])
    #expect(shown(CountedMethod.unknown) == ["INVALID_ARGUMENT 2"])
    #expect(shown(MethodName.reserveSpend.position) == ["OK 0", "RESOURCE_EXHAUSTED 1"])
    #expect(shown(MethodName.releaseReservation.position) == ["OK 0"])
    #expect(reading.requests == 6 && totals.requests == 6)
    let timed = reading.methods.filter { $0.durations != nil }.map(\.name)
    #expect(Set(timed) == Set(CountedMethod.served.map { CountedMethod.names[$0] }))
    #expect(reading.denials == [4, 5, 6, 0, 0, 0] && reading.denialsOmitted == 7)
    #expect(reading.repliesShortened == 8 && reading.contradictions == 9)
    #expect(reading.unusableNames.count == NameField.allCases.count * NameFault.allCases.count)
    #expect(
      reading.unusableNames.filter { $0.count > 0 }.map { "\($0.field) \($0.reason) \($0.count)" }
        == ["model \(NameFault.tooLong.label) 10"])
    #expect(reading.unresolvedModels == 11 && reading.unbudgetedRecords == 1)
  }

  /// Under `memory` duplicates and refusals at once never reach the ledger's thread.
  @Test func recordsAnsweredAtOnceCountAsWell() {
    var totals = SpendTotals()
    totals.add(PicoUSD(dollars: 3), isBudgeted: true)
    totals.add(PicoUSD(dollars: 2), isBudgeted: false, isReserved: true)
    (totals.duplicatesAtOnce, totals.mismatchesAtOnce, totals.outOfRangeAtOnce) = (1, 2, 3)
    var ledger = LedgerCounters()
    (ledger.recorded, ledger.duplicates, ledger.mismatches) = (10, 20, 30)
    (ledger.refusedForTime, ledger.notRecorded, ledger.refusedAtQueue) = (40, 50, 60)
    ledger.unknown = 70
    let spend = SpendReading(totals, ledger)
    #expect(spend.recorded == PicoUSD(dollars: 5) && spend.unbudgeted == PicoUSD(dollars: 2))
    #expect(spend.unreserved == PicoUSD(dollars: 3))
    #expect(spend.records == 10 && spend.duplicates == 21 && spend.mismatches == 32)
    #expect(spend.outOfRange == 43 && spend.refused == 110 && spend.unknown == 70)
  }

  @Test func theLedgerIsReadAsItStands() throws {
    let fixture = try RecorderFixture()
    _ = fixture.record(10)
    fixture.settle()
    let now = fixture.time.now()
    let reading = fixture.recorder.reading(at: now)
    #expect(reading.isWritable && reading.state == .ready && reading.counters.recorded == 1)
    #expect(reading.keyBound == fixture.ledger.keyBound)
    #expect(
      reading.keyMemoryMilliseconds
        == now.unixMilliseconds - fixture.ledger.horizon(at: now).unixMilliseconds)
  }
}
