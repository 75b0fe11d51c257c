import BudgetModel
import PrometheusText

extension AlertCounts {
  /// Neither the webhook's address nor budgets' names are here.
  func write(to text: inout MetricsText) {
    text.begin("budgetd_alerts_sent_total", .counter, "Alerts that this node has delivered.")
    text.sample(sent)
    text.begin(
      "budgetd_alerts_failed_total", .counter,
      "Attempts at a delivery that failed; they are repeated.")
    text.sample(failed)
    text.begin(
      "budgetd_alerts_dropped_total", .counter,
      "Alerts that were not delivered and will not be, by the reason.")
    text.sample(droppedForTime, LabelSet([("reason", "window_over")]))
    text.sample(droppedForAttempts, LabelSet([("reason", "attempts")]))
    text.begin(
      "budgetd_alerts_waiting", .gauge, "Alerts that wait for a delivery, by whichever node.")
    text.sample(waiting)
  }
}
