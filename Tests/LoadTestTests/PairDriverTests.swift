import BudgetModel
import BudgetWire
import Sockets
import Testing
import WholeRequests

@testable import LoadTest

/// Pairs of requests: which are sent when, and what is counted.
@Suite struct PairDriverTests {
  private static let start = MonotonicInstant(nanoseconds: 0)

  private static func at(_ seconds: Double) -> MonotonicInstant {
    start.advanced(by: .seconds(seconds))
  }

  private static func plan() -> LoadPlan {
    var plan = LoadPlan()
    plan.connections = 1
    plan.depth = 1
    plan.warmUp = .zero
    plan.duration = .seconds(1)
    return plan
  }

  /// Whatever time is asked for, and whenever counting begins.
  @Test(arguments: [0.1, 0.3, 0.5, 1.05], [0, 0.05])
  func eachKindGetsTheTimeThatIsAskedFor(seconds: Double, warmUp: Double) throws {
    var plan = Self.plan()
    (plan.duration, plan.warmUp) = (.seconds(seconds), .seconds(warmUp))
    let driver = try PairDriver(plan, startingAt: Self.start)
    let kinds = (0..<2_000).map {
      driver.kind(at: Self.at(warmUp + (Double($0) + 0.5) / 1_000 * seconds))
    }
    #expect(abs(kinds.reduce(0, +) - 1_000) <= 2)
  }

  /// The requests in `sent`: the method, and the reservation that it settles.
  private static func asked(_ sent: [UInt8]) throws -> [String] {
    var asked: [String] = []
    var rest = sent[...]
    var decoder = RequestDecoder()
    while !rest.isEmpty {
      let header = Array(rest.prefix(4))
      let told = FrameHeader.messageLength(in: header.span)
      let length = try #require(told)
      let body = Array(rest.dropFirst(4).prefix(length))
      #expect(body.count == length)
      rest = rest.dropFirst(4 + length)
      asked.append(
        try decoder.withRequest(frame: body.span) { request in
          switch request.method {
          case .filterDeployments(let view): view.reserve.isWanted ? "reserve" : "filter"
          case .recordSpend(let view):
            view.idempotencyKey.isEmpty ? "settle \(view.reservationID.text)" : "record"
          default: "another"
          }
        })
    }
    return asked
  }

  private static func take(
    _ driver: inout PairDriver, at seconds: Double, _ write: (UInt64, inout [UInt8]) -> Void
  ) {
    var bytes: [UInt8] = []
    write(LoadFrames.firstCallID, &bytes)
    let body = Array(bytes[4...])
    unsafe driver.take(body.span.bytes, from: 0, at: at(seconds))
  }

  private static func fill(_ driver: inout PairDriver, at seconds: Double) throws -> [String] {
    var sent: [UInt8] = []
    driver.fill(connection: 0, output: &sent, at: at(seconds))
    return try asked(sent)
  }

  private static func answerRecord(_ callID: UInt64, _ bytes: inout [UInt8]) {
    ResponseWriter().appendRecordSpend(
      RecordSpendResponse(isDuplicate: false, budgetsCharged: 1), callID: callID, to: &bytes)
  }

  @Test func kindsTakeTurnsAndPairsAreWhole() throws {
    var driver = try PairDriver(Self.plan(), startingAt: Self.start)
    #expect(try Self.fill(&driver, at: 0) == ["filter"])
    #expect(try Self.fill(&driver, at: 0) == [])
    Self.take(&driver, at: 0.1) { callID, bytes in
      var reply = FilterReply()
      reply.allow(0)
      ResponseWriter().appendFilterDeployments(&reply, callID: callID, to: &bytes)
    }
    #expect(try Self.fill(&driver, at: 0.1) == ["record"])
    Self.take(&driver, at: 0.15, Self.answerRecord)
    // The other kind's turn.
    #expect(try Self.fill(&driver, at: 0.25) == ["reserve"])
    // An id that makes the message's length take two bytes.
    let id = String(repeating: "x", count: 120)
    Self.take(&driver, at: 0.3) { callID, bytes in
      var reservation = FilterReply.ReservationReply()
      reservation.id = Array(id.utf8)
      var reply = FilterReply()
      reply.choose(0, reservation)
      ResponseWriter().appendFilterDeployments(&reply, callID: callID, to: &bytes)
    }
    #expect(try Self.fill(&driver, at: 0.45) == ["settle \(id)"])
    Self.take(&driver, at: 0.5, Self.answerRecord)
    // A denial is an error, and ends its pair; so is a choice without a reservation.
    #expect(try Self.fill(&driver, at: 0.6) == ["reserve"])
    Self.take(&driver, at: 0.65) { callID, bytes in
      ResponseWriter().appendStatus(
        RPCStatus(.resourceExhausted, "x"), callID: callID, to: &bytes)
    }
    #expect(try Self.fill(&driver, at: 0.7) == ["reserve"])
    Self.take(&driver, at: 0.75) { callID, bytes in
      var reply = FilterReply()
      ResponseWriter().appendFilterDeployments(&reply, callID: callID, to: &bytes)
    }
    #expect(driver.seen.map(\.latencies.count) == [1, 1] && driver.seen.map(\.errors) == [0, 2])
    // Both kinds together take twice the time that was asked for.
    #expect(try Self.fill(&driver, at: 1.9) == ["reserve"] && !driver.isDone(at: Self.at(2.1)))
    Self.take(&driver, at: 2.1) { callID, bytes in
      ResponseWriter().appendStatus(RPCStatus(.unavailable, "x"), callID: callID, to: &bytes)
    }
    #expect(driver.isDone(at: Self.at(2.1)) && driver.stray == nil)
    #expect(driver.seen.map(\.errors) == [0, 2])
    let report = driver.report
    #expect(report.pairs.map(\.rate) == [1, 1] && report.ratio == 1)
    Self.take(&driver, at: 2.2, Self.answerRecord)
    #expect(driver.stray != nil)
  }
}
