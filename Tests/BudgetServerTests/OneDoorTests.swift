import BudgetEngine
import BudgetModel
import BudgetWire
import NodeFixture
import SeededRandom
import Sockets
import SpendLedger
import Testing

@testable import BudgetServer
@testable import TCPTransport

/// Whatever a lane remembers, and whichever way a message is read, the answer is the same byte for
/// byte; and nothing gets past the gate.
@Suite struct OneDoorTests {
  @Test func rememberedOrNotTheBytesAreTheSame() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    var traffic = DoorTraffic()
    let trio = DoorTrio(try DoorTraffic.configuration(0))
    for index in 0..<6_000 {
      if index % 500 == 499 {
        let configuration = try DoorTraffic.configuration(index / 500 % 3)
        let nothing = RequestBytes(callID: 1 << 40).bytes(.usual, using: &random)
        for fixture in trio.all {
          _ = fixture.engine.reload(configuration, at: fixture.time.now())
          // A lane that asks nothing more would hold the configuration before, and with it the
          // windows of dropped budgets.
          _ = fixture.rawReply(to: nothing)
        }
      }
      if index % 700 == 699 {
        for fixture in trio.all { fixture.time.advance(milliseconds: 86_400_001) }
      }
      let request = traffic.request(callID: UInt64(index + 1), using: &random)
      let usual = request.bytes(.usual, using: &random)
      let expected = trio.warm.rawReply(to: usual)
      let comment: Comment = "seed \(seed), request \(index): \(request)"
      #expect(trio.cold.withNewLane().rawReply(to: usual) == expected, comment)
      let unusual = request.bytes(.unusual, using: &random)
      #expect(trio.odd.rawReply(to: unusual) == expected, comment)
      if index % 50 == 0 { Self.expectSameCounts(trio, comment) }
    }
    Self.expectSameCounts(trio, "seed \(seed)")
    #expect(trio.warm.recorder.taken.count > 500)
  }

  private static func expectSameCounts(_ trio: DoorTrio, _ comment: Comment) {
    let expected = trio.warm.counted
    #expect(trio.cold.counted == expected, comment)
    #expect(trio.odd.counted == expected, comment)
    #expect(trio.cold.recorder.taken == trio.warm.recorder.taken, comment)
    #expect(trio.odd.recorder.taken == trio.warm.recorder.taken, comment)
  }

  /// Bytes that are no request, or nearly one: the usual shape never takes what the walk refuses.
  @Test func whatIsWrongIsWrongBothWays() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    var traffic = DoorTraffic()
    let warm = try Self.fixture()
    for index in 0..<4_000 {
      let request = traffic.request(callID: UInt64(index + 1), using: &random)
      var bytes = request.bytes(.usual, using: &random)
      _ = warm.rawReply(to: bytes)
      for _ in 0..<Int.random(in: 1...3, using: &random) { Self.damage(&bytes, using: &random) }
      // The same message behind a field that nobody knows: not the usual shape any more.
      let odd = RequestBytes.unknownField + bytes
      let comment: Comment = "seed \(seed), \(bytes)"
      let taken = warm.recorder.taken.count
      let plain = try warm.replyIfAny(to: bytes)
      let added = warm.recorder.taken.count - taken
      let walked = try warm.withNewLane().replyIfAny(to: odd)
      #expect(plain?.status?.code == walked?.status?.code, comment)
      #expect(plain?.callID == walked?.callID, comment)
      #expect(warm.recorder.taken.count - taken == added * 2, comment)
    }
  }

  private static func damage(_ bytes: inout [UInt8], using random: inout SeededRandom) {
    guard bytes.count > 3 else { return }
    let place = Int.random(in: 2..<bytes.count, using: &random)
    switch Int.random(in: 0..<4, using: &random) {
    case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
    case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 2: bytes.remove(at: place)
    default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
    }
  }

  private static func fixture() throws -> ServiceFixture {
    ServiceFixture(
      engine: BudgetEngine(
        configuration: try DoorTraffic.configuration(0), at: ServiceFixture.start),
      time: ManualTimeSource(ServiceFixture.start))
  }

  /// Call 9 waits for its reply.
  private static func fixtureWithACallUnderWay() throws -> ServiceFixture {
    let fixture = try fixture()
    fixture.recorder.answer(.deferred)
    var held = RecordSpendRequest(costUSD: 1)
    held.provider = "openai"
    try fixture.callDeferred(.recordSpend(held), callID: 9)
    fixture.recorder.answer(.recorded)
    return fixture
  }

  /// Every method there can be: its field in the envelope, whether this build knows it or not.
  @Test(arguments: UInt8(10)...UInt8.max)
  func noMethodPassesTheGate(_ method: UInt8) throws {
    var random = SeededRandom(seed: UInt64(method))
    let fixture = try Self.fixtureWithACallUnderWay()
    // A message that each method there is makes something of.
    let fields: [[RequestBytes.Field]] = [
      [], [.text(1, "openai"), .double(5, 1)], [.message(1, [.text(4, "openai")])],
    ]
    for fields in fields {
      for form in [RequestBytes.Form.usual, .unusual] {
        var request = RequestBytes(callID: 10)
        request.method = method
        request.fields = fields
        try fixture.expectRefused(request, form, using: &random, "\(request)")
      }
    }
    #expect(fixture.recorder.taken.count == 1 && fixture.recorder.backups == 0)
    // The same call on another id, in time, is the method's: the gate is what kept it out.
    var request = RequestBytes(callID: 11)
    request.method = method
    let reply = fixture.rawReply(to: request.bytes(.usual, using: &random))
    if method == MethodName.backupLedger.rawValue {
      #expect(reply.isEmpty && fixture.recorder.backups == 1)
    } else {
      let status = try ServiceFixture.message(in: reply).status
      let isKnown = MethodName(rawValue: method) != nil
      #expect((status?.code == .unimplemented) == !isKnown)
    }
  }

  /// A call whose id is in use or whose time is over reaches no method, known or not, in any shape.
  @Test func nothingPassesTheGate() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    var traffic = DoorTraffic()
    let fixture = try Self.fixtureWithACallUnderWay()
    for index in 0..<1_500 {
      let request = traffic.request(callID: UInt64(index + 10), using: &random)
      for form in [RequestBytes.Form.usual, .unusual] {
        let comment: Comment = "seed \(seed), request \(index), \(form): \(request)"
        // Known to the lane by now, on a call that is free.
        _ = fixture.rawReply(to: request.bytes(form, using: &random))
        let before = (fixture.recorder.taken, fixture.engine.totalSpend(at: fixture.time.now()))
        try fixture.expectRefused(request, form, using: &random, comment)
        #expect(fixture.recorder.taken == before.0, comment)
        #expect(fixture.engine.totalSpend(at: fixture.time.now()) == before.1, comment)
      }
    }
  }
}

extension BudgetEngine {
  /// The sum over all budgets: what no refused call may change.
  fileprivate func totalSpend(at now: Timestamp) -> PicoUSD {
    catalog.budgets.reduce(.zero) { $0 + report(on: $1, at: now).spend }
  }
}

extension ServiceFixture {
  /// The gate refuses `request` under the id of call 9, and under its own once its time is over.
  fileprivate func expectRefused(
    _ request: RequestBytes, _ form: RequestBytes.Form, using random: inout SeededRandom,
    _ comment: Comment
  ) throws {
    var request = request
    request.timeoutMilliseconds = 5
    let late = try Self.message(
      in: rawReply(to: request.bytes(form, using: &random), age: .milliseconds(6)))
    #expect(late.status?.code == .deadlineExceeded && late.result == nil, comment)
    request.callID = 9
    request.timeoutMilliseconds = 0
    let inUse = try Self.message(
      in: rawReply(to: request.bytes(form, using: &random)))
    #expect(inUse.status?.code == .invalidArgument && inUse.result == nil, comment)
    #expect(inUse.status?.message.hasPrefix("call_id 9 is under way") == true, comment)
  }

  /// The bytes of the reply to `body`; none where it comes later.
  func rawReply(to body: [UInt8], age: Duration = .zero) -> [UInt8] {
    var output: [UInt8] = []
    _ = service.handle(
      unsafe body.span.bytes, from: connection,
      receivedAt: MonotonicInstant.now().advanced(by: .zero - age), output: &output)
    service.turnEnded()
    return output
  }

  /// The reply to `body`; nil where it comes later.
  func replyIfAny(to body: [UInt8]) throws -> ResponseMessage? {
    let reply = rawReply(to: body)
    return reply.isEmpty ? nil : try Self.message(in: reply)
  }

  /// The counts of the request path, but for the methods of requests that could not be read.
  var counted: [Int] {
    let totals = requests.totals
    var counts = [
      counters.unusableNames, counters.unresolvedModels, counters.unbudgetedRecords,
      counters.refusedRequests, totals.denialsOmitted, totals.repliesShortened,
      totals.contradictions,
    ]
    counts += totals.denials
    for method in totals.answers { counts += method }
    return counts
  }
}
