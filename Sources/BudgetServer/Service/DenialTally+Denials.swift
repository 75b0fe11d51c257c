import BudgetEngine

extension DenialTally {
  /// Counts what was found, by scope in `counts` and by budget: candidates of one provider come together.
  mutating func count(_ denials: [BudgetDenial], in counts: RequestCounts) {
    var (slot, run) = (Int32(-1), 0)
    for index in denials.indices {
      let denial = denials[index]
      counts.countDenial(by: denial.scope)
      // Names of dynamic budgets have no samples of their own.
      if denial.life != 0 { continue }
      if denial.slot == slot {
        run += 1
        continue
      }
      if run > 0 { add(run, slot: slot) }
      (slot, run) = (denial.slot, 1)
    }
    if run > 0 { add(run, slot: slot) }
  }
}
