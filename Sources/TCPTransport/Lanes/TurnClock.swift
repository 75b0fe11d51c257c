/// Ends a connection's turn by time, without reading the clock for each small frame.
struct TurnClock {
  private let endsAt: MonotonicInstant
  private var framesAtReading = 0
  private var bytesAtReading = 0
  private var outputAtReading = 0

  /// So many small frames, or bytes in or out, go by between two readings.
  private static let framesBetweenReadings = 8
  private static let bytesBetweenReadings = 8_192

  init(endsAt: MonotonicInstant) { self.endsAt = endsAt }

  /// Whether the turn has lasted its time. `frames`, `bytes` and `output` are what it did so far;
  /// before the first frame it has not: every turn makes progress.
  mutating func isOver(frames: Int, bytes: Int, output: Int) -> Bool {
    guard
      frames - framesAtReading >= Self.framesBetweenReadings
        || bytes - bytesAtReading >= Self.bytesBetweenReadings
        // Output is written early when much has gathered, and then counts from zero again.
        || abs(output - outputAtReading) >= Self.bytesBetweenReadings
    else { return false }
    framesAtReading = frames
    bytesAtReading = bytes
    outputAtReading = output
    return frames > 0 && MonotonicInstant.now() >= endsAt
  }
}
