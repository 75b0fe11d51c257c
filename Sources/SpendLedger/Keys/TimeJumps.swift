/// Finds by how much fleet time has jumped ahead: what was committed before seems older by as much,
/// and is kept for as much longer. A value: both clocks are told to it.
struct TimeJumps: Equatable, Sendable {
  private struct Reading: Equatable, Sendable {
    var fleetMilliseconds: Int64
    var passedMilliseconds: Int64
  }

  /// By how much, all jumps of the last `retention` together.
  private(set) var milliseconds: Int64 = 0
  private let retention: Int64
  private var last: Reading?
  private var lastJump: Int64 = 0

  /// Less is drift, or a pause between two readings of clocks.
  private static let leastMilliseconds: Int64 = 60_000

  init(retention: Int64) { self.retention = retention }

  /// Fleet time, and what has passed on a clock that nobody sets.
  mutating func note(fleetMilliseconds fleet: Int64, passedMilliseconds passed: Int64) {
    defer { last = Reading(fleetMilliseconds: fleet, passedMilliseconds: passed) }
    if milliseconds > 0, passed - lastJump > retention { milliseconds = 0 }
    guard let last else { return }
    let jump = (fleet - last.fleetMilliseconds) - (passed - last.passedMilliseconds)
    guard jump >= Self.leastMilliseconds else { return }
    milliseconds += jump
    lastJump = passed
  }
}
