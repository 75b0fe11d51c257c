import BudgetEngine
import BudgetModel
import BudgetWire

extension BudgetService {
  /// Lets a reservation end later than it would.
  mutating func extendReservation(
    _ head: RequestHead, output: inout [UInt8]
  ) throws(ServiceRefusal) {
    let request = try ServiceRefusal.of { () throws(WireFault) in
      try reader.decoder.extendReservation(head)
    }
    try ServiceRefusal.checkReservation(request.reservationID)
    let ttl = try ReservationTerms.ttl(request.ttlMilliseconds, field: "ttl_ms")
    guard let id = ReservationID(request.reservationID),
      let until = context.engine.extend(id, by: ttl, at: now())
    else {
      throw ServiceRefusal(
        .notFound,
        "reservation_id '\(request.reservationID.printable)' is not open here: it was settled or "
          + "released, its time is over, or the server has started since; reserve again")
    }
    if let trace = context.trace {
      trace.extended(request.reservationID.text, milliseconds: ttl, at: now())
    }
    responses.appendExtended(until: until.unixMilliseconds, callID: head.callID, to: &output)
  }
}
