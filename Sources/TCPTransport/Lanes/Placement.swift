import Sockets
import Synchronization

/// Hands new connections to the lane with the fewest, from any thread.
final class Placement: Sendable {
  private let lanes: [Lane]
  private let bounds: TransportBounds
  /// Connections closed without a word: too many others were being told that there are too many.
  let refusedUnheard = Atomic<UInt64>(0)

  init(lanes: [Lane], bounds: TransportBounds) {
    self.lanes = lanes
    self.bounds = bounds
  }

  /// Hands over a connection whose peer may be served.
  func place(_ line: consuming Line, of peer: Peer, _ beginning: LaneInbox.Beginning = .init()) {
    var open = 0
    var refusals = 0
    var fewest = Int.max
    var chosen = 0
    for (index, lane) in lanes.enumerated() {
      let count = lane.counters.connectionsOpen.load(ordering: .relaxed)
      open += count
      refusals += lane.counters.refusalsUnderWay.load(ordering: .relaxed)
      if count < fewest { (fewest, chosen) = (count, index) }
    }
    let isOverBound = open >= bounds.connections
    if isOverBound, refusals >= bounds.refusalsUnderWay {
      refusedUnheard.add(1, ordering: .relaxed)
      return
    }
    let counters = lanes[chosen].counters
    if isOverBound {
      counters.refusalsUnderWay.add(1, ordering: .relaxed)
    } else {
      counters.connectionsOpen.add(1, ordering: .relaxed)
    }
    let arrival = LaneInbox.Arrival(
      line, of: peer, beginning, isOverBound: isOverBound)
    lanes[chosen].inbox.post { $0.arrivals.append(arrival) }
  }
}
