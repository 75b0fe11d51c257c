import BudgetFleet
import PrometheusText

/// The part of the metrics about what the node asks its fleet for, and who waits for that.
struct ClaimMetrics {
  let claims: ClaimCounts
  let waiting: WaitingCounts

  init(_ fleet: FleetStatus) { (claims, waiting) = (fleet.claims, fleet.waiting) }

  func add(to text: inout MetricsText) {
    text.begin(
      "budgetd_reservations_waiting", .gauge, "Requests to reserve that wait for the fleet.")
    text.sample(waiting.waiting)
    text.begin(
      "budgetd_reservation_waits_total", .counter,
      "Requests to reserve that had to wait for the fleet, by how that ended.")
    for (how, count) in [
      ("answered", waiting.answered), ("overdue", waiting.overdue), ("away", waiting.away),
      ("gone", waiting.gone),
    ] {
      text.sample(count, LabelSet([("how", how)]))
    }
    text.begin(
      "budgetd_reservation_wait_seconds", .histogram,
      "How long those waited that were held or denied.")
    text.sample(waiting.waits, unit: .nanoseconds)
    text.begin(
      "budgetd_claim_calls_total", .counter,
      "Round trips to Redis for reservations that waited, between passes.")
    text.sample(claims.onDemand)
    text.begin(
      "budgetd_claims_told_total", .counter,
      "Times that Redis was told what the node claims of a budget, by whether it could grant more.")
    for (state, count) in [
      ("granting", claims.told - claims.learning), ("learning", claims.learning),
    ] {
      text.sample(count, LabelSet([("state", state)]))
    }
    text.begin(
      "budgetd_claims_refused", .gauge,
      "1 where Redis' user may not keep claims: limits of reservations hold on each node alone.")
    text.sample(claims.areRefused)
  }
}
