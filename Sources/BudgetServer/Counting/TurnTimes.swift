import BudgetWire
import Sockets
import TCPTransport

/// Measures the requests of one lane, with one clock reading a turn rather than one a request:
/// what was read together is answered together.
struct TurnTimes {
  private struct Measured {
    var method: Int
    var since: MonotonicInstant
  }

  private var counts = PerMethod<Int>(repeating: 0)
  private var since = MonotonicInstant(nanoseconds: 0)
  private var isEmpty = true
  /// Requests that were received at other times: answered later, or left over from a turn before.
  private var others: [Measured] = []

  /// A request that was received at `received` has its reply.
  @inline(__always)
  mutating func note(_ method: Int, receivedAt received: MonotonicInstant) {
    if isEmpty {
      isEmpty = false
      since = received
    }
    if received == since {
      counts[method] += 1
    } else {
      others.append(Measured(method: method, since: received))
    }
  }

  /// The replies were handed over at `now`: counts how long each took.
  mutating func end(at now: MonotonicInstant, in requests: RequestCounts) {
    if isEmpty { return }
    isEmpty = true
    for method in counts.indices where counts[method] > 0 {
      requests.count(
        method, duration: max(0, now.nanoseconds - since.nanoseconds), times: counts[method])
      counts[method] = 0
    }
    if others.isEmpty { return }
    for other in others {
      requests.count(
        other.method, duration: max(0, now.nanoseconds - other.since.nanoseconds), times: 1)
    }
    others.removeAll(keepingCapacity: true)
  }

  /// Whether nothing waits to be measured.
  var hasNothing: Bool { isEmpty }
}
