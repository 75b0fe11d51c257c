import Synchronization

/// What one lane counted; written by the lane, read by anyone.
final class LaneCounters: Sendable {
  let connectionsOpen = Atomic<Int>(0)
  let refusalsUnderWay = Atomic<Int>(0)
  let accepted = Atomic<UInt64>(0)
  let refused = Atomic<UInt64>(0)
  let refusedDraining = Atomic<UInt64>(0)
  let bytesReceived = Atomic<UInt64>(0)
  let bytesSent = Atomic<UInt64>(0)
  let frames = Atomic<UInt64>(0)
  let halfFrames = Atomic<UInt64>(0)
  let framesTooLarge = Atomic<UInt64>(0)
  let frameTimeouts = Atomic<UInt64>(0)
  let repliesDropped = Atomic<UInt64>(0)
  let closedByPeer = Atomic<UInt64>(0)
  let closedByError = Atomic<UInt64>(0)
  let closedByHandler = Atomic<UInt64>(0)
  let closedIdle = Atomic<UInt64>(0)
  let closedSlow = Atomic<UInt64>(0)
  let closedForMemory = Atomic<UInt64>(0)
  let stoppedByOwn = Atomic<UInt64>(0)
  let stoppedByTotal = Atomic<UInt64>(0)
  let closedByDrain = Atomic<UInt64>(0)
  let cutOffByDrain = Atomic<UInt64>(0)

  /// Adds to a counter that only its lane writes: a plain load and store, no locked instruction.
  @inline(__always)
  static func add(_ amount: Int, to counter: borrowing Atomic<UInt64>) {
    counter.store(counter.load(ordering: .relaxed) &+ UInt64(amount), ordering: .relaxed)
  }
}
