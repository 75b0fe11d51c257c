import BudgetModel
import PrometheusText
import SpendLedger

extension MetricsPage {
  func addSpend(
    _ ledger: LedgerReading, unbudgetedRecords: Int, to text: inout MetricsText
  ) {
    let spend = sources.spend()
    text.begin(
      "budgetd_spend_recorded_dollars_total", .counter,
      "Costs recorded since the start, each record once.")
    text.sample(spend.recorded)
    text.begin("budgetd_records_total", .counter, "Records, by what became of them.")
    add(
      [
        ("recorded", spend.records), ("duplicate", spend.duplicates),
        ("mismatch", spend.mismatches), ("out_of_range", spend.outOfRange),
        ("refused", spend.refused), ("unknown", spend.unknown),
      ], as: "outcome", to: &text)
    text.begin(
      "budgetd_keys_ahead_total", .counter,
      "UUIDv7 keys from more than 5 minutes ahead, taken as keys without a time.")
    text.sample(ledger.counters.keysAhead)
    text.begin(
      "budgetd_unbudgeted_records_total", .counter, "Records whose names have no budget.")
    text.sample(unbudgetedRecords)
  }

  func addLedger(_ ledger: LedgerReading, to text: inout MetricsText) {
    let counters = ledger.counters
    text.begin("budgetd_ledger_writable", .gauge, "1 while spend can be recorded.")
    text.sample(ledger.isWritable)
    text.begin("budgetd_ledger_commits_total", .counter, "Commits of batches, by outcome.")
    add(
      [
        ("committed", counters.commits), ("refused", counters.commitsRefused),
        ("unknown", counters.commitsUnknown),
      ], as: "outcome", to: &text)
    text.begin("budgetd_ledger_batch_records", .histogram, "Records in a commit.")
    text.sample(counters.batchRecords)
    text.begin(
      "budgetd_ledger_commit_duration_seconds", .histogram, "Time of a commit that succeeded.")
    text.sample(counters.commitTimes, unit: .nanoseconds)
    text.begin("budgetd_ledger_failures_total", .counter, "Commits and upkeep that failed.")
    text.sample(counters.commitsRefused + counters.commitsUnknown + counters.upkeepFailures)
    text.begin(
      "budgetd_ledger_lag_seconds", .gauge,
      "How long the oldest record that is not on disk has waited.")
    text.sample(nanoseconds: ledger.lag.nanoseconds)
    text.begin("budgetd_ledger_waiting_records", .gauge, "Records that wait for the disk.")
    text.sample(counters.waiting)
    text.begin("budgetd_ledger_keys", .gauge, "Idempotency keys remembered.")
    text.sample(counters.keys)
    text.begin(
      "budgetd_ledger_keys_kept", .gauge, "Idempotency keys that are remembered at most.")
    text.sample(ledger.keyBound)
    text.begin(
      "budgetd_idempotency_horizon_seconds", .gauge,
      "How far back idempotency keys are remembered.")
    text.sample(milliseconds: ledger.keyMemoryMilliseconds)
    text.begin("budgetd_ledger_key_index_bytes", .gauge, "Memory that idempotency keys take.")
    text.sample(counters.keyIndexBytes)
    text.begin(
      "budgetd_ledger_reopenings_total", .counter,
      "Times that the file was read again after a failed commit.")
    text.sample(counters.reopenings)
  }
}
