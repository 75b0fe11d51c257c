import BudgetModel
import BudgetWire
import Sockets

/// The way to one address: its connection, the calls on it, and the pause after a failure. Without
/// sockets and clocks: it is told what happened, and says what is to be done.
///
/// Each call ends once, with `ended`. Generations count the attempts to connect.
struct Link {
  /// Whose call it is.
  enum Purpose: Hashable {
    /// Says who the client is.
    case introduction
    case ask(UInt64)
    case owed(UInt64)
  }

  enum Event {
    case connect(generation: Int)
    case disconnect(generation: Int)
    /// The connection takes calls.
    case opened
    /// The connection is lost, and a pause has begun.
    case failed(reason: String)
    case ended(Purpose, Result<ResponseMessage, NoAnswer>)
  }

  enum State: Hashable {
    case down
    case connecting(until: MonotonicInstant)
    case introducing
    case open
  }

  struct Call {
    enum Place: Hashable { case queued, handing, sent }

    let purpose: Purpose
    let body: [UInt8]
    let timeout: Duration
    var place = Place.queued
    /// When its time began. Never while it waits for its turn to be written, as the deadline.
    var began = MonotonicInstant.never
    var deadline = MonotonicInstant.never
  }

  /// The peer may be gone once nothing at all came for so long.
  private static let silence = Duration.seconds(1)
  /// No batch is longer, but for its last frame.
  static let batchBytes = 256 * 1024

  let address: String
  let connectTimeout: Duration
  /// So many calls may wait for a server that does not read.
  let mostUnwritten: Int
  private(set) var state = State.down
  private(set) var generation = 0
  private(set) var pause: Pause
  /// Why the last attempt to connect failed.
  private(set) var failure = ""
  var calls: [UInt64: Call] = [:]
  private var queue = Queue<UInt64>()
  private var lastNumber: UInt64 = 0
  private var deadlines = Deadlines()
  /// The calls that are being given to the socket.
  private var handing: [UInt64] = []
  private var isSending = false
  /// Whether the socket was full when the last batch came.
  private var isFull = false
  /// Batches whose connection ended meanwhile: they tell whether the socket took them.
  private var leftBatches: [Int: (calls: [Call], reason: String)] = [:]
  /// When bytes came last.
  private var heard = MonotonicInstant.never
  /// The reason that the server gave, or that its bytes are.
  private var farewell = ""
  private var isMalformed = false

  init(address: String, settings: RouterCore.Settings) {
    self.address = address
    connectTimeout = settings.connectTimeout
    mostUnwritten = settings.mostUnwritten
    pause = settings.pause
  }

  var isOpen: Bool { state == .open }

  // MARK: - Connecting

  mutating func connect(now: MonotonicInstant, _ events: inout [Event]) {
    guard state == .down else { return }
    generation += 1
    state = .connecting(until: now.advanced(by: connectTimeout))
    events.append(.connect(generation: generation))
  }

  /// The connection was made; `introduction` is the call that says who the client is, if any.
  mutating func connected(
    _ generation: Int, introduction: [UInt8]?, now: MonotonicInstant, _ events: inout [Event]
  ) {
    guard generation == self.generation, case .connecting = state else {
      events.append(.disconnect(generation: generation))
      return
    }
    heard = now
    guard let introduction else {
      opened(&events)
      return
    }
    state = .introducing
    add(Call(purpose: .introduction, body: introduction, timeout: connectTimeout), now: now)
  }

  private mutating func opened(_ events: inout [Event]) {
    pause.end()
    state = .open
    events.append(.opened)
  }

  /// No connection could be made.
  mutating func connectFailed(
    _ generation: Int, _ reason: String, _ moment: Moment, _ events: inout [Event]
  ) {
    guard generation == self.generation, state != .down else { return }
    fail(reason, moment, &events)
  }

  private mutating func fail(_ reason: String, _ moment: Moment, _ events: inout [Event]) {
    state = .down
    failure = reason
    pause.failed(now: moment.now, chance: moment.chance)
    events.append(.failed(reason: reason))
  }

  private mutating func introduced(
    _ result: Result<ResponseMessage, NoAnswer>, _ moment: Moment, _ events: inout [Event]
  ) {
    guard state == .introducing else { return }
    switch result {
    case .success(let response):
      // A server that does not know the method has no access file.
      guard let status = response.status, status.code != .unimplemented else {
        opened(&events)
        return
      }
      events.append(.disconnect(generation: generation))
      forget()
      fail("\(address) answered \(status.text)", moment, &events)
    case .failure(let error):
      events.append(.disconnect(generation: generation))
      forget()
      fail(error.reason, moment, &events)
    }
  }

  // MARK: - Calls

  /// Puts a call on the connection, which is open; says why it cannot be.
  mutating func call(_ call: Call, now: MonotonicInstant) -> NoAnswer? {
    guard queue.count < mostUnwritten || !isSending else {
      let words = "\(address) takes nothing more: as many calls wait as may"
      return NoAnswer(reason: words, mayHaveArrived: false)
    }
    add(call, now: now)
    return nil
  }

  private mutating func add(_ call: Call, now: MonotonicInstant) {
    lastNumber += 1
    calls[lastNumber] = call
    queue.append(lastNumber)
    // A server that does not read may never let it be written.
    if isSending { beginTime(of: lastNumber, now: now) }
  }

  private mutating func beginTime(of number: UInt64, now: MonotonicInstant) {
    guard let timeout = calls[number]?.timeout else { return }
    calls[number]?.began = now
    calls[number]?.deadline = now.advanced(by: timeout)
    deadlines.begin(number, timeout, now: now)
  }

  /// The frames to be written now; nil: there are none, or others are being written.
  mutating func takeBatch(now: MonotonicInstant) -> [UInt8]? {
    guard state == .open || state == .introducing, !isSending else { return nil }
    var bytes: [UInt8] = []
    while bytes.count < Self.batchBytes, let number = queue.popFirst() {
      guard let call = calls[number] else { continue }
      calls[number]?.place = .handing
      // Its time counts from the write, unless the socket was full.
      if !isFull || call.deadline == .never { beginTime(of: number, now: now) }
      Frame.append(number, call.timeout.roundedMilliseconds, call.body, to: &bytes)
      handing.append(number)
    }
    guard !bytes.isEmpty else { return nil }
    isSending = true
    return bytes
  }

  /// The socket took the batch, or nothing of it.
  mutating func sendEnded(
    _ generation: Int, _ outcome: SendOutcome, _ moment: Moment, _ events: inout [Event]
  ) {
    if let (left, reason) = leftBatches.removeValue(forKey: generation) {
      let error = NoAnswer(reason: reason, mayHaveArrived: outcome != .refused)
      for call in left { events.append(.ended(call.purpose, .failure(error))) }
      return
    }
    guard generation == self.generation else { return }
    let place: Call.Place = outcome == .refused ? .queued : .sent
    for number in handing { calls[number]?.place = place }
    handing = []
    isSending = false
    isFull = outcome == .takenLater
    // The end of the connection is told before, but for one that ended while nobody listened.
    if outcome == .refused { lost(generation, moment, &events) }
  }

  /// A response came.
  mutating func received(
    _ response: ResponseMessage, _ generation: Int, _ moment: Moment, _ events: inout [Event]
  ) {
    guard generation == self.generation else { return }
    heard = moment.now
    guard response.callID != 0 else {
      // It answers no call: it says why the server is about to close the connection.
      farewell = response.status?.text ?? farewell
      return
    }
    guard let call = calls.removeValue(forKey: response.callID) else { return }
    end(call, .success(response), moment, &events)
  }

  private mutating func end(
    _ call: Call, _ result: Result<ResponseMessage, NoAnswer>, _ moment: Moment,
    _ events: inout [Event]
  ) {
    if call.purpose == .introduction {
      introduced(result, moment, &events)
    } else {
      events.append(.ended(call.purpose, result))
    }
  }

  /// The bytes that came are no answer of this service.
  mutating func malformed(
    _ generation: Int, _ why: String, _ moment: Moment, _ events: inout [Event]
  ) {
    guard generation == self.generation, state == .open || state == .introducing else { return }
    farewell = "\(address) does not speak budget.v1: \(why)"
    isMalformed = true
    events.append(.disconnect(generation: generation))
    lost(generation, moment, &events)
  }

  /// The connection is over.
  mutating func lost(_ generation: Int, _ moment: Moment, _ events: inout [Event]) {
    guard generation == self.generation, state == .open || state == .introducing else { return }
    let reason = lostReason
    let before = state
    let left = forget(handing: reason)
    if before == .introducing {
      fail(reason, moment, &events)
      return
    }
    state = .down
    for call in left {
      let error = NoAnswer(reason: reason, mayHaveArrived: call.place == .sent)
      events.append(.ended(call.purpose, .failure(error)))
    }
  }

  private var lostReason: String {
    if isMalformed { return farewell }
    let words = "the connection to \(address) was lost before the answer came"
    return farewell.isEmpty ? words : "\(words): \(farewell)"
  }

  /// Forgets all that belonged to the connection, and gives its calls, in their order; those that are
  /// being given to the socket wait for its word.
  @discardableResult
  private mutating func forget(handing reason: String = "") -> [Call] {
    let batch = Set(handing)
    if isSending {
      let waiting = handing.compactMap { calls[$0] }.filter { $0.purpose != .introduction }
      leftBatches[generation] = (waiting, reason)
    }
    let left = calls.sorted { $0.key < $1.key }.filter { !batch.contains($0.key) }.map(\.value)
    calls = [:]
    queue = Queue()
    lastNumber = 0
    deadlines = Deadlines()
    handing = []
    isSending = false
    isFull = false
    farewell = ""
    isMalformed = false
    return left
  }

  // MARK: - Time

  /// Ends the calls whose time is over, and an attempt to connect.
  mutating func timePassed(_ moment: Moment, _ events: inout [Event]) {
    if case .connecting(let until) = state, until <= moment.now {
      events.append(.disconnect(generation: generation))
      fail(
        "no connection to \(address): not within \(connectTimeout.roundedMilliseconds) ms", moment,
        &events)
    }
    var isSilent = false
    for number in deadlines.expired(now: moment.now) {
      guard let call = calls[number], call.deadline <= moment.now else { continue }
      calls[number] = nil
      isSilent = isSilent || call.timeout >= Self.silence && heard <= call.began
      let words = "no answer from \(address) within \(call.timeout.roundedMilliseconds) ms"
      let error = NoAnswer(reason: words, mayHaveArrived: call.place != .queued)
      end(call, .failure(error), moment, &events)
    }
    // A peer that is gone without a word would keep the connection for a quarter of an hour.
    if isSilent, state == .open {
      events.append(.disconnect(generation: generation))
      lost(generation, moment, &events)
    }
  }

  /// When `timePassed` is to be called.
  mutating func nextTime() -> MonotonicInstant {
    let calls = calls
    let earliest = deadlines.earliest { calls[$0] != nil }
    guard case .connecting(let until) = state else { return earliest }
    return min(earliest, until)
  }

  /// Ends the connection; the calls are their callers' to end.
  mutating func close(_ events: inout [Event]) {
    if state != .down { events.append(.disconnect(generation: generation)) }
    state = .down
    forget()
    leftBatches = [:]
  }
}

/// An instant, and a random number from 0 to 1 for whoever needs one then.
struct Moment {
  var now: MonotonicInstant
  var chance: Double
}

/// The socket's word about a batch.
enum SendOutcome: Hashable {
  case taken
  /// The socket was full before it took it.
  case takenLater
  /// The connection was over: nothing of it was sent.
  case refused
}

/// A request in its frame.
enum Frame {
  static func append(
    _ number: UInt64, _ milliseconds: UInt32, _ body: [UInt8], to bytes: inout [UInt8]
  ) {
    let start = bytes.count
    bytes += [0, 0, 0, 0, 0x08]
    appendVarint(number, to: &bytes)
    bytes.append(0x10)
    appendVarint(UInt64(milliseconds), to: &bytes)
    bytes += body
    let length = UInt32(bytes.count - start - FrameHeader.byteCount)
    for place in 0..<4 {
      bytes[start + place] = UInt8(truncatingIfNeeded: length >> (24 - 8 * UInt32(place)))
    }
  }

  private static func appendVarint(_ value: UInt64, to bytes: inout [UInt8]) {
    var value = value
    while value > 0x7F {
      bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    bytes.append(UInt8(value))
  }

  /// The method's message of a request, without number and timeout.
  static func body(of method: RequestMessage.Method) throws(RouterError) -> [UInt8] {
    var bounds = WireBounds.standard
    bounds.maximumRequestBytes = .max
    let frame: [UInt8]
    do throws(WireFault) {
      frame = try RequestMessage(callID: 0, method: method).frame(bounds: bounds)
    } catch {
      throw .invalid("the request cannot be written: \(error)")
    }
    let body = Array(frame.dropFirst(FrameHeader.byteCount))
    guard body.count <= longestBody else {
      throw .invalid("the request has \(body.count) bytes: at most \(longestBody) are allowed")
    }
    return body
  }

  /// The server takes so many less a call's number and timeout, which stand before the method.
  private static let longestBody = WireBounds.standard.maximumRequestBytes - 32
}

extension RPCStatus {
  /// `CODE: message`, or the code alone.
  var text: String { message.isEmpty ? "\(code)" : "\(code): \(message)" }
}
