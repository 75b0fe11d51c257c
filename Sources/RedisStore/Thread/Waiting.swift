import Dispatch
import Locks

/// One value that one thread makes and another waits for.
final class Waiting<Value: Sendable>: Sendable {
  private let value = Locked<Value?>(nil)
  private let bell = DispatchSemaphore(value: 0)

  /// Gives the value, once.
  func fulfil(_ result: Value) {
    value.withLock { $0 = result }
    bell.signal()
  }

  /// The value, or nil when the time is over.
  func wait(for allowance: Duration) -> Value? {
    if bell.wait(timeout: .now() + allowance.seconds) == .success {
      // Whoever else waits gets it too.
      bell.signal()
    }
    return value.withLock { $0 }
  }
}

extension Duration {
  /// In seconds.
  var seconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) + Double(attoseconds) / 1e18
  }
}
