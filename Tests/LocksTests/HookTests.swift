import Locks
import Testing

@Suite struct HookTests {
  @Test func theLastFunctionIsCalled() {
    let hook = Hook<Int>()
    let seen = Locked<[Int]>([])
    #expect(!hook(1))
    hook.set { event in seen.withLock { $0.append(event) } }
    #expect(hook(2))
    hook.set { event in seen.withLock { $0.append(-event) } }
    #expect(hook(3) && seen.withLock { $0 } == [2, -3])
    let plain = Hook<Void>()
    plain.set { seen.withLock { $0.append(0) } }
    #expect(plain() && seen.withLock { $0.count } == 3)
  }

  /// A function in a `Locked` of its own ends the stack after some hundred thousand calls.
  @Test func aCallIsAsDeepAsTheFirst() {
    let hook = Hook<Void>()
    let calls = Locked(0)
    hook.set { calls.withLock { $0 += 1 } }
    for _ in 0..<400_000 { hook() }
    #expect(calls.withLock { $0 } == 400_000)
  }
}
