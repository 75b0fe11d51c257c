import Reconciliation

/// What hearing the store's clock has changed.
enum ClockCorrection: Equatable, Sendable {
  /// Nothing: the difference may be the way there and back.
  case none
  /// The fleet's time lies so much later or earlier now.
  case moved(milliseconds: Int64)
  /// So does the store's clock jump, by more than it can have drifted.
  case jumped(milliseconds: Int64)
  /// Nothing: what the store's clock says is not believed.
  case doubted(ClockDoubt)
}
