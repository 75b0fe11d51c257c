import BudgetEngine
import BudgetModel
import PrometheusText

extension MetricsPage {
  /// This node's reservations; how much each budget holds is told with the budget. `deferred`: how many
  /// waited for the fleet, each once.
  func addReservations(deferred: Int?, to text: inout MetricsText) {
    let counts = sources.engine.reservationCounts
    text.begin("budgetd_reservations_open", .gauge, "Reservations that are open.")
    text.sample(counts.open)
    text.begin(
      "budgetd_reservations_open_max", .gauge, "How many may be (--max-open-reservations).")
    text.sample(sources.engine.reservationSettings.openBound)
    text.begin(
      "budgetd_reservations_total", .counter, "Requests to reserve, by what became of them.")
    add(
      [
        ("held", counts.held), ("known", counts.known), ("denied", counts.denied),
        ("deferred", deferred.map { UInt64($0) } ?? counts.deferred), ("unavailable", counts.full),
      ], as: "result", to: &text)
    text.begin(
      "budgetd_reservations_ended_total", .counter,
      "Reservations that ended, and records that named one that had ended.")
    add(
      [
        ("settled", counts.settled), ("released", counts.released), ("expired", counts.expired),
        ("late", counts.late), ("again", counts.again), ("elsewhere", counts.elsewhere),
      ], as: "how", to: &text)
    text.begin("budgetd_reserved_dollars_total", .counter, "Amounts that were reserved.")
    text.sample(counts.heldAmount)
    text.begin(
      "budgetd_overrun_dollars_total", .counter,
      "The part of settled costs beyond what was reserved for them.")
    text.sample(counts.overrun)
    text.begin(
      "budgetd_unreserved_dollars_total", .counter,
      "Recorded costs that came without an open reservation.")
    text.sample(sources.spend().unreserved)
  }
}
