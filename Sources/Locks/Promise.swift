public import Dispatch

/// One value that one thread makes and others wait for.
public final class Promise<Value: Sendable>: Sendable {
  private let value = Locked<Value?>(nil)
  private let bell = DispatchSemaphore(value: 0)

  /// Makes a promise that is not yet kept.
  public init() {}

  /// Gives the value, once.
  public func fulfil(_ result: Value) {
    value.withLock { $0 = result }
    bell.signal()
  }

  /// The value, as soon as it is given. Blocks the thread until then.
  public func wait() -> Value {
    while true {
      bell.wait()
      if let result = value.withLock({ $0 }) {
        // Whoever else waits gets it too.
        bell.signal()
        return result
      }
    }
  }

  /// The value, as soon as it is given, which the promise then lets go of: to be called once, in place
  /// of `wait`.
  public func take() -> Value {
    while true {
      bell.wait()
      if let result = value.withLock({ exchange(&$0, with: nil) }) { return result }
    }
  }

  /// The value; nil if it is not given by `deadline`. Blocks the thread until then.
  public func wait(until deadline: DispatchTime) -> Value? {
    if bell.wait(timeout: deadline) == .success {
      // Whoever else waits gets it too.
      bell.signal()
    }
    return value.withLock { $0 }
  }
}
