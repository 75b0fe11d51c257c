import BudgetEngine
import BudgetModel
import BudgetWire

extension BudgetService {
  /// Gives a reservation back. Of one that has ended, or that another node made, it says that it was not
  /// open; the other node is told.
  mutating func releaseReservation(
    _ head: RequestHead, output: inout [UInt8]
  ) throws(ServiceRefusal) {
    let request = try ServiceRefusal.of { () throws(WireFault) in
      try reader.decoder.releaseReservation(head)
    }
    try ServiceRefusal.checkReservation(request.reservationID)
    let id = ReservationID(request.reservationID)
    if let id { context.tellMaker(of: id, false) }
    let wasOpen = id.map { context.engine.release($0, at: now()) } ?? false
    if wasOpen, let trace = context.trace {
      trace.released(request.reservationID.text, at: now())
    }
    responses.appendReleased(wasOpen, callID: head.callID, to: &output)
  }
}
