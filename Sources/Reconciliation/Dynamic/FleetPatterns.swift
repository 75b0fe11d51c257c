import BudgetModel

/// The patterns in force, found by the names that they give budgets.
struct FleetPatterns {
  let all: [FleetPattern]
  private let kinds: [Kind]

  /// The patterns of one scope and window: their prefixes, and how long those are, longest first.
  private struct Kind {
    let scope: BudgetScope
    let windowText: ExactText
    let lengths: [Int]
    let prefixes: NameTable
    /// The number of the pattern that is a star alone.
    let everything: Int32?

    init(_ patterns: [(number: Int, pattern: FleetPattern)]) {
      scope = patterns[0].pattern.scope
      windowText = ExactText(patterns[0].pattern.windowText)
      everything = patterns.first { $0.pattern.prefix.isEmpty }.map { Int32($0.number) }
      prefixes = NameTable(patterns.map { ($0.pattern.prefix, Int32($0.number)) })
      lengths = Set(patterns.map { $0.pattern.prefix.utf8.count }).subtracting([0]).sorted(by: >)
    }

    func number(of name: NameBytes) -> Int32? {
      for length in lengths where length <= name.count {
        if let number = prefixes[name[0..<length]] { return number }
      }
      return everything
    }
  }

  init(_ patterns: [FleetPattern] = []) {
    all = patterns
    struct Sort: Hashable {
      var scope: BudgetScope
      var windowText: ExactText
    }
    kinds = Dictionary(grouping: patterns.enumerated().map { ($0.offset, $0.element) }) {
      Sort(scope: $0.1.scope, windowText: ExactText($0.1.windowText))
    }.values.map { Kind($0.map { (number: $0.0, pattern: $0.1) }) }
  }

  /// The number of the longest pattern of the key's window that gives its name a budget. The cost
  /// grows with the lengths that prefixes have, not with the patterns.
  func number(of key: BudgetKey) -> Int32? {
    for kind in kinds
    where kind.scope == key.scope && kind.windowText == ExactText(key.windowText) {
      return NameBytes.with(key.name) { kind.number(of: $0) }
    }
    return nil
  }
}
