/// What the index of keys says to a claim.
enum KeyClaim: Equatable {
  /// The key was not known: it is the claimer's, in flight.
  case claimed
  /// Known, on disk, same fields.
  case duplicate
  /// Known, not on disk yet, same fields.
  case inFlight
  /// Known with other fields.
  case mismatch
}
