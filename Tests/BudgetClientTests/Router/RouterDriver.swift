import BudgetWire
import Sockets
import Testing

@testable import BudgetClient

/// A core in virtual time, its sockets and its journal in the test's hands.
struct RouterDriver {
  /// A frame that was given to a socket.
  struct Sent: Equatable {
    var number: UInt64
    var milliseconds: UInt32
    var body: [UInt8]
  }

  /// The smallest and the greatest chance, one after the other, or always the same.
  struct Chance: RandomNumberGenerator {
    var values: [UInt64]
    mutating func next() -> UInt64 {
      values.append(values.removeFirst())
      return values[values.count - 1]
    }
  }

  var core: RouterCore
  var connects: [(place: Int, generation: Int)] = []
  var disconnects: [(place: Int, generation: Int)] = []
  /// By place: the frames of each batch.
  var batches: [Int: [[Sent]]] = [:]
  var ends: [UInt64: [RouterCore.Outcome]] = [:]
  /// The journal's lines and sent batches, in their order.
  var story: [String] = []
  var log: [String] = []

  init(
    _ addresses: [String] = ["a"], chance: [UInt64] = [.max],
    _ change: (inout RouterCore.Settings) -> Void = { _ in }
  ) {
    var settings = RouterCore.Settings()
    change(&settings)
    core = RouterCore(
      addresses: addresses, settings: settings, random: Chance(values: chance))
    core.now = MonotonicInstant(nanoseconds: 1_000_000_000)
  }

  // MARK: - What happens

  /// Tells the core something, and ends the turn.
  mutating func turn(_ change: (inout RouterCore) -> Void = { _ in }) {
    change(&core)
    core.endTurn()
    for action in core.takeActions() {
      switch action {
      case .connect(let place, let generation): connects.append((place, generation))
      case .disconnect(let place, let generation): disconnects.append((place, generation))
      case .send(let place, _, let bytes):
        let frames = Self.frames(in: bytes)
        batches[place, default: []].append(frames)
        story.append("send \(frames.count) to \(core.links[place].address)")
      case .finish(let id, let outcome): ends[id, default: []].append(outcome)
      case .note(let owed): story.append("owed to \(core.links[owed.place].address)")
      case .done: story.append("done")
      case .log(let text): log.append(text)
      }
    }
    // Woken at once and for nothing, again and again, it would never rest.
    #expect(core.nextTime() > core.now)
  }

  mutating func ask(_ id: UInt64, timeout: Duration = .milliseconds(100), only: Int? = nil) {
    turn { $0.ask(id, RouterCore.Ask([UInt8(id)], timeout: timeout, only: only)) }
  }

  mutating func owe(_ key: String, to place: Int = 0) {
    turn { $0.owe(Self.record(key, to: place)) }
  }

  static func record(_ key: String, to place: Int = 0) -> Owed {
    Owed(key: Array(key.utf8), body: Array(key.utf8), place: place)
  }

  /// The newest attempt to connect succeeds.
  mutating func connect(_ place: Int = 0, introduction: [UInt8]? = nil) {
    let generation = core.links[place].generation
    turn { $0.connected(place, generation, introduction: introduction) }
  }

  mutating func refuse(_ place: Int = 0, _ reason: String = "no connection to a: refused") {
    let generation = core.links[place].generation
    turn { $0.connectFailed(place, generation, reason) }
  }

  /// The socket's word about the batch.
  mutating func sent(_ place: Int = 0, _ outcome: SendOutcome = .taken, generation: Int? = nil) {
    let generation = generation ?? core.links[place].generation
    turn { $0.sendEnded(place, generation, outcome) }
  }

  mutating func lose(_ place: Int = 0) {
    let generation = core.links[place].generation
    turn { $0.lost(place, generation) }
  }

  mutating func answer(_ place: Int = 0, _ number: UInt64, _ status: RPCStatus? = nil) {
    let generation = core.links[place].generation
    let response = TrackerDriver.response(number, status)
    turn { $0.received(place, generation, response) }
  }

  mutating func answerDuplicate(_ place: Int = 0, _ number: UInt64) {
    let generation = core.links[place].generation
    let answer = RecordSpendResponse(isDuplicate: true, budgetsCharged: 0)
    var bytes: [UInt8] = []
    ResponseWriter().appendRecordSpend(answer, callID: number, to: &bytes)
    let message = Array(bytes.dropFirst(FrameHeader.byteCount))
    var decoder = ResponseDecoder()
    guard let response = try? decoder.response(frame: message.span) else {
      Issue.record("the writer's own frame is not read")
      return
    }
    turn { $0.received(place, generation, response) }
  }

  mutating func wait(_ duration: Duration) {
    core.now = core.now.advanced(by: duration)
    turn { $0.timePassed() }
  }

  // MARK: - What came of it

  /// The frames that the address was sent last.
  func last(_ place: Int = 0) -> [Sent] { batches[place]?.last ?? [] }

  /// The keys of all that the address was ever sent, in their order.
  func keys(_ place: Int = 0) -> [String] {
    (batches[place] ?? []).joined().map { String(decoding: $0.body, as: UTF8.self) }
  }

  /// How the question ended, once; nil while it is under way.
  func end(
    _ id: UInt64, sourceLocation: SourceLocation = #_sourceLocation
  ) -> RouterCore.Outcome? {
    let all = ends[id] ?? []
    #expect(all.count <= 1, "ended more than once", sourceLocation: sourceLocation)
    return all.first
  }

  func reason(_ id: UInt64) -> String? {
    guard case .unavailable(let reason)? = end(id) else { return nil }
    return reason
  }

  /// The place of the address that answered.
  func answerer(_ id: UInt64) -> Int? {
    guard case .answer(_, let place)? = end(id) else { return nil }
    return place
  }

  private static func frames(in bytes: [UInt8]) -> [Sent] {
    var frames: [Sent] = []
    var rest = bytes[...]
    func varint() -> UInt64 {
      var value: UInt64 = 0
      var shift: UInt64 = 0
      while let byte = rest.popFirst() {
        value |= UInt64(byte & 0x7F) << shift
        if byte < 0x80 { break }
        shift += 7
      }
      return value
    }
    while rest.count >= 4 {
      let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
      rest = rest.dropFirst(4)
      let end = rest.startIndex + length
      #expect(rest.popFirst() == 0x08)
      let number = varint()
      #expect(rest.popFirst() == 0x10)
      let milliseconds = UInt32(varint())
      frames.append(
        Sent(number: number, milliseconds: milliseconds, body: Array(rest[..<end])))
      rest = rest[end...]
    }
    #expect(rest.isEmpty)
    return frames
  }
}
