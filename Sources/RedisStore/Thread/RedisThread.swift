import BudgetModel
import Dispatch
import Foundation
import Locks

/// The thread that alone talks to Redis.
///
/// Its body loops: wait for the next pass or a wake-up, do the pass, wait again, until it is told
/// to end.
public final class RedisThread: Sendable {
  private let state = Locked(State())
  private let bell = DispatchSemaphore(value: 0)
  private let ended = Promise<Void>()

  private struct State {
    var isWoken = false
    var isEnding = false
  }

  /// Why a wait was over.
  public enum Wakeup: Hashable, Sendable {
    /// The time was over.
    case timePassed
    /// Somebody called `wake`; calls since the last wait count once.
    case woken
    /// Somebody called `end`: do what has to be done last, and return.
    case ending
  }

  /// Makes a thread that runs `body`; starts it at once.
  public init(name: String = "redis", body: @escaping @Sendable (RedisThread) -> Void) {
    let thread = Thread { [self] in
      body(self)
      ended.fulfil(())
    }
    thread.name = name
    thread.start()
  }

  /// Called by the body: waits for a wake-up, `allowance` at most. Once ending it never waits.
  public func wait(for allowance: Duration) -> Wakeup {
    let deadline = DispatchTime.now() + max(0, allowance.inSeconds)
    while true {
      let found: Wakeup? = state.withLock { state in
        defer { state.isWoken = false }
        return state.isEnding ? .ending : state.isWoken ? .woken : nil
      }
      if let found { return found }
      if bell.wait(timeout: deadline) == .timedOut { return .timePassed }
    }
  }

  /// Ends the body's wait, or its next one.
  public func wake() {
    let isFirst = state.withLock { state in
      defer { state.isWoken = true }
      return !state.isWoken
    }
    if isFirst { bell.signal() }
  }

  /// Tells the body to end.
  public func end() {
    state.withLock { $0.isEnding = true }
    bell.signal()
  }

  /// Whether the body was told to end.
  public var isEnding: Bool { state.withLock { $0.isEnding } }

  /// Waits for the body's end, `allowance` at most. Whether it has ended.
  public func join(within allowance: Duration) -> Bool {
    ended.wait(until: .now() + allowance.inSeconds) != nil
  }
}

/// How long to wait before the next attempt: twice as long each time, with full jitter.
///
/// A value without a clock: whoever waits asks for the next delay.
public struct RedisBackoff: Sendable {
  /// The bound of the first delay.
  public var first = Duration.milliseconds(50)
  /// The bound of every delay.
  public var longest = Duration.seconds(5)
  /// How many attempts failed in a row.
  public private(set) var failures = 0

  /// The standard one.
  public init() {}

  /// The delay after one more failure: at random from 0 to a bound that doubles.
  public mutating func delayAfterFailure(
    using random: inout some RandomNumberGenerator
  ) -> Duration {
    let bound = min(longest, first * (1 << min(failures, 30)))
    failures = min(failures + 1, Int.max - 1)
    let nanoseconds = bound.nanoseconds
    return .nanoseconds(Int64.random(in: 0...max(0, nanoseconds), using: &random))
  }

  /// An attempt succeeded.
  public mutating func succeeded() { failures = 0 }
}
