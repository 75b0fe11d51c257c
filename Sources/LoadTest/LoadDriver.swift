import BudgetWire
import Sockets
import TCPTransport

/// Keeps connections full of requests and counts what comes back: a value without a socket.
struct LoadDriver: PipelineDriver {
  /// A request under way.
  private struct Flight {
    var sentAt = MonotonicInstant(nanoseconds: 0)
    var frame = -1
  }

  /// The answers to one method.
  struct Seen {
    var latencies = LatencyHistogram()
    /// How many answers had each status, by the statuses' numbers.
    var codes = [UInt64](repeating: 0, count: StatusCode.allCases.count)
  }

  private let frames: LoadFrames
  private let depth: Int
  private let expectsDenials: Bool
  private let countsFrom: MonotonicInstant
  private let ends: MonotonicInstant
  private var flights: [[Flight]]
  /// Places of each connection that nothing is under way in.
  private var free: [[Int]]
  private var nextFrame: [Int]
  private var underWay = 0
  private var count = UInt64.random(in: .min ... .max)
  private var seen = [Seen(), Seen()]
  /// A reply that does not answer a request under way; it ends the test.
  private(set) var stray: String?

  /// `frames` are the plan's.
  init(_ plan: LoadPlan, _ frames: LoadFrames, startingAt now: MonotonicInstant) {
    self.frames = frames
    depth = plan.depth
    expectsDenials = plan.expectsDenials
    countsFrom = now.advanced(by: plan.warmUp)
    ends = countsFrom.advanced(by: plan.duration)
    flights = Array(
      repeating: Array(repeating: Flight(), count: plan.depth), count: plan.connections)
    free = Array(repeating: Array((0..<plan.depth).reversed()), count: plan.connections)
    nextFrame = (0..<plan.connections).map { $0 * 7 }
  }

  mutating func fill(connection: Int, output: inout [UInt8], at now: MonotonicInstant) {
    guard now < ends, stray == nil else { return }
    while let place = free[connection].popLast() {
      let frame = nextFrame[connection] % frames.frames.count
      nextFrame[connection] = frame + 1
      count &+= 0x9E37_79B9_7F4A_7C15
      frames.append(
        frame, callID: LoadFrames.firstCallID + UInt64(place), fresh: Self.mixed(count),
        to: &output)
      flights[connection][place] = Flight(sentAt: now, frame: frame)
      underWay += 1
    }
  }

  mutating func take(_ reply: RawSpan, from connection: Int, at now: MonotonicInstant) {
    guard let head = try? ResponseHead(frame: reply), head.callID >= LoadFrames.firstCallID,
      head.callID < LoadFrames.firstCallID + UInt64(depth)
    else {
      stray = "a reply of \(reply.byteCount) bytes that answers no request"
      return
    }
    let place = Int(head.callID - LoadFrames.firstCallID)
    let flight = flights[connection][place]
    guard flight.frame >= 0 else {
      stray = "a second reply to one request"
      return
    }
    flights[connection][place].frame = -1
    free[connection].append(place)
    underWay -= 1
    guard now >= countsFrom, now < ends else { return }
    let method = frames.frames[flight.frame].method
    guard head.code != .ok || head.method == method else {
      stray = "a reply to another method than was asked"
      return
    }
    let index = method == .recordSpend ? 1 : 0
    seen[index].latencies.add(nanoseconds: now.nanoseconds - flight.sentAt.nanoseconds)
    seen[index].codes[Int(head.code.rawValue)] += 1
  }

  mutating func isDone(at now: MonotonicInstant) -> Bool {
    stray != nil || now >= ends && underWay == 0
  }

  /// The results; complete once the test is done.
  var report: LoadReport {
    var report = LoadReport(duration: ends.duration(since: countsFrom))
    for (index, method) in [MethodName.filterDeployments, .recordSpend].enumerated()
    where frames.frames.contains(where: { $0.method == method }) {
      guard seen[index].latencies.count > 0 else {
        report.unanswered.append(method.description)
        continue
      }
      report.answers.append(
        LoadReport.Answers(
          method, seen[index], expectsDenials: expectsDenials, during: report.duration))
    }
    return report
  }

  /// SplitMix64: as `count` goes on, no value comes twice.
  static func mixed(_ value: UInt64) -> UInt64 {
    var mixed = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
