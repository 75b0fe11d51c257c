import BudgetModel
import Sockets

/// How long something that failed is left alone: longer each time, and never all clients at once.
struct Pause {
  /// The longest pause after one failure.
  let shortest: Duration
  /// The longest pause after any failure.
  let longest: Duration
  private var failures = 0
  private(set) var until = MonotonicInstant(nanoseconds: .min)

  init(shortest: Duration, longest: Duration) {
    self.shortest = shortest
    self.longest = longest
  }

  /// `chance` is random, from 0 to 1: the pause is multiplied by a half up to the whole.
  mutating func failed(now: MonotonicInstant, chance: Double) {
    failures += 1
    var most = shortest
    for _ in 1..<failures where most < longest { most = most * 2 }
    until = now.advanced(by: min(most, longest) * (0.5 + chance / 2))
  }

  mutating func end() {
    failures = 0
    until = MonotonicInstant(nanoseconds: .min)
  }

  func left(now: MonotonicInstant) -> Duration {
    until > now ? until.duration(since: now) : .zero
  }
}

/// A call that has no answer of its own.
struct NoAnswer: Error, Hashable {
  /// Why, in the words of all clients.
  var reason: String
  /// Whether bytes of it may have reached the server.
  var mayHaveArrived: Bool
}

extension Duration {
  /// For `timeout_ms`, where 0 stands for none, and for sentences.
  var roundedMilliseconds: UInt32 {
    UInt32(clamping: max(1, (nanoseconds + 500_000) / 1_000_000))
  }
}
