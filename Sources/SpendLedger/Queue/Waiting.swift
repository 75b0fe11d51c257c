import Dispatch
import Locks

/// One value that one thread makes and another waits for.
final class Waiting<Value: Sendable>: Sendable {
  private let value = Locked<Value?>(nil)
  private let bell = DispatchSemaphore(value: 0)

  func fulfil(_ result: Value) {
    value.withLock { $0 = result }
    bell.signal()
  }

  func wait() -> Value {
    while true {
      bell.wait()
      if let result = value.withLock({ $0 }) {
        bell.signal()
        return result
      }
    }
  }
}
