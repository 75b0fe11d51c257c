import BudgetEngine
import BudgetModel
import BudgetWire
import Digest
import SpendLedger

/// The parts that every request about reservations has.
enum ReservationTerms {
  /// Milliseconds for which something is held where the request does not say.
  private static let usualTTL: Int64 = 120_000
  private static let ttls: ClosedRange<Int64> = 1_000...3_600_000

  /// For how long something is to be held.
  static func ttl(_ milliseconds: UInt32, field: String) throws(ServiceRefusal) -> Int64 {
    if milliseconds == 0 { return usualTTL }
    let ttl = Int64(milliseconds)
    guard ttls.contains(ttl) else {
      throw ServiceRefusal(
        .invalidArgument,
        "\(field) \(ttl): give \(ttls.lowerBound) to \(ttls.upperBound) milliseconds, or 0 for "
          + "\(usualTTL)")
    }
    return ttl
  }

  /// The key and all of the message, which tell a retry from another request. Nil: the request has none.
  static func key(
    _ key: NameBytes, of head: RequestHead
  ) throws(ServiceRefusal) -> ReservationKey? {
    if key.isEmpty { return nil }
    try ServiceRefusal.check(key, field: "idempotency_key")
    let message = head.message.withBytes { SHA256Digest.prefix(of: $0) }
    // The same bytes mean something else to another method.
    let method = UInt128(head.method?.rawValue ?? 0)
    return ReservationKey(digest: KeyIdentity(of: key).digest, fingerprint: message ^ method)
  }
}

extension ReservationTerms {
  /// As `key` of a filter, which is told the position of the candidate that was chosen: where the
  /// configuration gives the candidates, their names and order belong to the request.
  static func key(
    _ key: NameBytes, of head: RequestHead, asking candidates: RequestCandidates,
    in catalog: BudgetCatalog
  ) throws(ServiceRefusal) -> ReservationKey? {
    let known = try Self.key(key, of: head)
    guard var known, case .configured(let group) = candidates else { return known }
    var digest: UInt64 = 0
    for index in group {
      digest = catalog.deployments.withID(at: Int(index)) { $0.hash(seed: digest) }
    }
    known.fingerprint ^= UInt128(UInt32(truncatingIfNeeded: digest)) << 96
    return known
  }
}

extension ServiceRefusal {
  /// Refuses what can be no reservation's name.
  static func checkReservation(_ id: NameBytes) throws(ServiceRefusal) {
    if id.isEmpty {
      throw ServiceRefusal(
        .invalidArgument, "reservation_id is absent: give the one that the reservation came with")
    }
    try check(id, field: "reservation_id")
  }
}
