import BudgetEngine
import BudgetModel
import BudgetWire

extension BudgetService {
  /// Lets a reservation end later than it would. Returns whether it was answered; where not, the fleet is
  /// to hear first that this node needs what it `lacks` for so long.
  mutating func extendReservation(
    _ head: RequestHead, output: inout [UInt8]
  ) throws(ServiceRefusal) -> Bool {
    let request = try ServiceRefusal.of { () throws(WireFault) in
      try reader.decoder.extendReservation(head)
    }
    try ServiceRefusal.checkReservation(request.reservationID)
    let ttl = try ReservationTerms.ttl(request.ttlMilliseconds, field: "ttl_ms")
    let id = ReservationID(request.reservationID)
    let now = now()
    if let id, context.fleet != nil {
      let rooms = context.engine.uncovered(id, by: ttl, at: now)
      if !rooms.isEmpty, note(lacking: rooms, for: ttl) { return false }
    }
    guard let id, let until = context.engine.extend(id, by: ttl, at: now) else {
      throw ServiceRefusal(
        .notFound,
        "reservation_id '\(request.reservationID.printable)' is not open here: it was settled or "
          + "released, its time is over, the server has started since, or another node made it; "
          + "reserve again")
    }
    if let trace = context.trace {
      trace.extended(request.reservationID.text, milliseconds: ttl, at: now)
    }
    responses.appendExtended(until: until.unixMilliseconds, callID: head.callID, to: &output)
    return true
  }
}
