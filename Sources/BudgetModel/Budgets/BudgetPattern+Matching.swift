extension BudgetPattern {
  /// Whether the name begins as the pattern says.
  public func matches(_ name: String) -> Bool {
    // The pattern's name without its star.
    name.utf8.starts(with: key.name.utf8.dropLast())
  }
}

extension BudgetConfiguration {
  /// The patterns that give the name a budget of its own, longest first: for each window the longest
  /// that matches, unless the name has an entry of the same window. Cost: linear in the configuration.
  public func patterns(giving name: String, scope: BudgetScope) -> [BudgetPattern] {
    let own = budgets.filter {
      $0.key.scope == scope && ExactText($0.key.name) == ExactText(name)
    }
    var given: [BudgetPattern] = []
    for pattern in patterns where pattern.key.scope == scope && pattern.matches(name) {
      let isTaken =
        own.contains { $0.rule.isLike(pattern.rule) }
        || given.contains { $0.rule.isLike(pattern.rule) }
      if !isTaken { given.append(pattern) }
    }
    return given
  }
}
