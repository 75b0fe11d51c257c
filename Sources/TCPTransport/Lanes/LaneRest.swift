/// How a lane that has nothing to do comes to rest.
public struct LaneRest: Equatable, Sendable {
  /// How long it goes on looking. Longer costs processor time after each burst; shorter costs a
  /// wake-up for the next request.
  public var spin: Duration
  /// How long it then waits on its thread, in whole milliseconds, before it gives the thread back.
  /// Waiting costs no processor time, and a socket wakes the lane without the detour over
  /// Dispatch's own threads; the lane's timers come late by as much.
  public var hold: Duration

  /// 20 us and 2 ms.
  public static let standard = LaneRest(spin: .microseconds(20), hold: .milliseconds(2))

  /// Makes a rest of a spin and a hold; either may be zero.
  public init(spin: Duration, hold: Duration) {
    self.spin = spin
    self.hold = hold
  }
}

/// The settings that the lanes of a server have in common.
struct LaneSettings: Sendable {
  let bounds: TransportBounds
  let rest: LaneRest
  let held: HeldBytes
  /// Nil: nothing is bounded by client.
  let shares: ClientShares?
  /// Whether any of their connections may be encrypted.
  let isSecure: Bool
}
