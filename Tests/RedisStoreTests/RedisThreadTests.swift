import Dispatch
import Locks
import RedisStore
import Testing

/// The thread's waits and the delays between attempts.
@Suite struct RedisThreadTests {
  /// The events that the thread saw.
  private final class Journal: Sendable {
    private let entries = Locked<[RedisThread.Wakeup]>([])
    let bell = DispatchSemaphore(value: 0)
    func add(_ entry: RedisThread.Wakeup) {
      entries.withLock { $0.append(entry) }
      bell.signal()
    }
    var all: [RedisThread.Wakeup] { entries.withLock { $0 } }
  }

  @Test func aWakeUpEndsAWaitAndAnEndTheBody() {
    let journal = Journal()
    let thread = RedisThread { thread in
      while true {
        let wakeup = thread.wait(for: .seconds(60))
        journal.add(wakeup)
        if wakeup == .ending { return }
      }
    }
    thread.wake()
    journal.bell.wait()
    #expect(journal.all == [.woken])
    #expect(!thread.join(within: .zero))
    thread.end()
    #expect(thread.join(within: .seconds(60)) && thread.join(within: .seconds(60)))
    #expect(journal.all == [.woken, .ending] && thread.isEnding)
  }

  @Test func aWaitEndsByItself() {
    let journal = Journal()
    let thread = RedisThread { thread in
      journal.add(thread.wait(for: .milliseconds(1)))
      journal.add(thread.wait(for: .seconds(-1)))
    }
    #expect(thread.join(within: .seconds(60)))
    #expect(journal.all == [.timePassed, .timePassed])
  }

  @Test func delaysDoubleUpToABoundAndAreSpreadOverAllOfIt() {
    var random = Fixed(value: .max)
    var backoff = RedisBackoff()
    var delays: [Duration] = []
    for _ in 0..<9 { delays.append(backoff.delayAfterFailure(using: &random)) }
    #expect(
      delays
        == [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000].map { .milliseconds($0) })
    for _ in 0..<100 { _ = backoff.delayAfterFailure(using: &random) }
    #expect(backoff.delayAfterFailure(using: &random) == .seconds(5))
    // Not 0: the standard library draws again and again from a source that says nothing else.
    random.value = 1
    #expect(backoff.delayAfterFailure(using: &random) == .zero)
    backoff.succeeded()
    random.value = .max
    #expect(backoff.failures == 0)
    #expect(backoff.delayAfterFailure(using: &random) == .milliseconds(50))
  }

  /// Always the same number.
  private struct Fixed: RandomNumberGenerator {
    var value: UInt64
    mutating func next() -> UInt64 { value }
  }
}
