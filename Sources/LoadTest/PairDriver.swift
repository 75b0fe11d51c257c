import BudgetWire
import Sockets
import TCPTransport

/// Loads a server with pairs of requests, of two kinds in turns: a filter and the record of what it
/// cost; a filter that reserves, and the record that settles. A value without a socket.
///
/// The kinds take turns of a fifth of a second, or a little less, so that each has as many of them and both
/// meet the same machine:
/// the ratio of their rates says what reserving costs.
struct PairDriver: PipelineDriver {
  /// A pair under way.
  private struct Flight {
    var begunAt = MonotonicInstant(nanoseconds: 0)
    var kind = 0
    var frame = 0
    /// The first request was answered.
    var isSecond = false
    var isUnderWay = false
  }

  /// The pairs of one kind.
  struct Seen {
    var latencies = LatencyHistogram()
    /// Pairs of which an answer was an error.
    var errors: UInt64 = 0
  }

  /// Records to be sent: their places, and the ids of the reservations that they settle, one after the
  /// other; an empty id: none.
  private struct Seconds {
    var records: [(place: Int, idLength: Int)] = []
    var ids: [UInt8] = []
  }

  private let depth: Int
  private let countsFrom: MonotonicInstant
  private let ends: MonotonicInstant
  private let start: MonotonicInstant
  /// Of each kind, the firsts and the seconds.
  private var frames: [LoadFrames]
  private var flights: [[Flight]]
  private var free: [[Int]]
  /// Seconds to be sent, on each connection.
  private var seconds: [Seconds]
  private var nextFrame = 0
  private var count = UInt64.random(in: .min ... .max)
  private var underWay = 0
  private(set) var seen = [Seen(), Seen()]
  private(set) var stray: String?

  private static let longestTurn = Duration.milliseconds(200)
  private let turn: Duration

  init(_ plan: LoadPlan, startingAt now: MonotonicInstant) throws(WireFault) {
    var plan = plan
    plan.work = .mixed
    plan.reserves = false
    let plain = try LoadFrames(plan)
    plan.reserves = true
    frames = [plain, try LoadFrames(plan)]
    depth = plan.depth
    start = now
    countsFrom = now.advanced(by: plan.warmUp)
    // Each kind gets the time that is asked for.
    ends = countsFrom.advanced(by: plan.duration * 2)
    turn = plan.duration / max(1, Int((plan.duration / Self.longestTurn).rounded(.up)))
    flights = Array(
      repeating: Array(repeating: Flight(), count: plan.depth), count: plan.connections)
    free = Array(repeating: Array((0..<plan.depth).reversed()), count: plan.connections)
    seconds = Array(repeating: Seconds(), count: plan.connections)
  }

  /// The kind whose turn it is.
  func kind(at now: MonotonicInstant) -> Int {
    Int(now.duration(since: start) / turn) % 2
  }

  mutating func fill(connection: Int, output: inout [UInt8], at now: MonotonicInstant) {
    guard stray == nil else { return }
    sendSeconds(connection, output: &output)
    guard now < ends else { return }
    let kind = kind(at: now)
    while let place = free[connection].popLast() {
      // Firsts stand at even places, each before its second.
      nextFrame = (nextFrame + 2) % frames[kind].frames.count
      frames[kind].append(
        nextFrame, callID: LoadFrames.firstCallID + UInt64(place), fresh: fresh(), to: &output)
      flights[connection][place] = Flight(
        begunAt: now, kind: kind, frame: nextFrame, isUnderWay: true)
      underWay += 1
    }
  }

  private mutating func sendSeconds(_ connection: Int, output: inout [UInt8]) {
    var sent = Seconds()
    swap(&sent, &seconds[connection])
    var first = 0
    for (place, idLength) in sent.records {
      let flight = flights[connection][place]
      let callID = LoadFrames.firstCallID + UInt64(place)
      let fresh = fresh()
      if idLength == 0 {
        frames[flight.kind].append(flight.frame + 1, callID: callID, fresh: fresh, to: &output)
      } else {
        frames[flight.kind].appendSettling(
          flight.frame + 1, LoadFrames.Turn(callID: callID, fresh: fresh),
          id: sent.ids.span.extracting(first..<first + idLength), to: &output)
        first += idLength
      }
    }
    sent.records.removeAll(keepingCapacity: true)
    sent.ids.removeAll(keepingCapacity: true)
    swap(&sent, &seconds[connection])
  }

  private mutating func fresh() -> UInt64 {
    count &+= 0x9E37_79B9_7F4A_7C15
    return LoadDriver.mixed(count)
  }

  mutating func take(_ reply: RawSpan, from connection: Int, at now: MonotonicInstant) {
    guard let head = try? ResponseHead(frame: reply), head.callID >= LoadFrames.firstCallID,
      head.callID < LoadFrames.firstCallID + UInt64(depth),
      flights[connection][Int(head.callID - LoadFrames.firstCallID)].isUnderWay
    else {
      stray = "a reply of \(reply.byteCount) bytes that answers no request"
      return
    }
    let place = Int(head.callID - LoadFrames.firstCallID)
    let flight = flights[connection][place]
    var isFine = head.code == .ok
    if isFine, !flight.isSecond {
      let idLength =
        flight.kind == 1
        ? ResponseHead.appendReservationID(in: reply, to: &seconds[connection].ids) : 0
      if let idLength {
        flights[connection][place].isSecond = true
        seconds[connection].records.append((place, idLength))
        return
      }
      isFine = false
    }
    flights[connection][place].isUnderWay = false
    free[connection].append(place)
    underWay -= 1
    guard now >= countsFrom, now < ends else { return }
    guard isFine else {
      seen[flight.kind].errors += 1
      return
    }
    seen[flight.kind].latencies.add(
      nanoseconds: now.nanoseconds - flight.begunAt.nanoseconds)
  }

  mutating func isDone(at now: MonotonicInstant) -> Bool {
    stray != nil || now >= ends && underWay == 0
  }

  /// The results; complete once the test is done.
  var report: PairReport {
    let duration = ends.duration(since: countsFrom) / 2
    return PairReport(
      duration: duration,
      pairs: zip(["filter, record", "reserve, settle"], seen).map { name, seen in
        PairReport.Pairs(
          name: name, latencies: seen.latencies, errors: seen.errors,
          rate: Double(seen.latencies.count) / (duration / .seconds(1)))
      })
  }
}

/// The results of a load test with pairs.
public struct PairReport: Sendable {
  /// The pairs of one kind.
  public struct Pairs: Sendable {
    /// The two requests.
    public var name: String
    /// From the sending of the first to the answer to the second.
    public var latencies: LatencyHistogram
    /// Pairs of which an answer was an error.
    public var errors: UInt64
    /// Pairs in a second of their kind's time.
    public var rate: Double
  }

  /// For how long pairs of each kind were counted.
  public var duration: Duration
  /// Plain ones, then those that reserve.
  public var pairs: [Pairs]

  /// The rate of pairs that reserve, in those of plain ones; nil: there were none.
  public var ratio: Double? {
    guard pairs.count == 2, pairs[0].rate > 0 else { return nil }
    return pairs[1].rate / pairs[0].rate
  }
}
