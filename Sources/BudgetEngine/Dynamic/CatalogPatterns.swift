import BudgetModel

/// The patterns of a configuration, ready for look-ups by bytes.
///
/// Arrays side by side, by the pattern's number: a request reads a limit or a mode, never a text. An
/// object, so that who looks at it does not count the references of each array.
final class CatalogPatterns: Sendable {
  /// As the configuration has them.
  let configured: [BudgetPattern]
  /// The same with the policies in force.
  let definitions: [BudgetPattern]
  /// The changes in force, by number.
  let changed: [Int: ChangedPolicy]
  let limits: [PicoUSD]
  let modes: [BudgetMode]
  /// The number of each window's text, as the slots' keys have it.
  let windows: [Int32]
  /// The slot that each pattern charges for names that found no place.
  let overflows: [Int32]
  let full: DynamicBudgetsFull
  /// Whether some pattern denies a name that has spent nothing: a frozen one, or one of limit 0.
  let judgesUncharged: Bool
  /// The numbers of patterns, group after group, the shortest window of each first.
  let members: [Int32]
  // Apart, not in an array: an element that is taken out of one has its references counted.
  private let tags: PatternGroups
  private let providers: PatternGroups
  private let models: PatternGroups

  /// `slotOf` tells the slot of the budget that has the pattern's own key.
  init(
    _ patterns: [BudgetPattern], full: DynamicBudgetsFull, keys: SlotKeys,
    slotOf: (BudgetKey) -> Int32
  ) {
    configured = patterns
    definitions = patterns
    changed = [:]
    self.full = full
    limits = patterns.map { $0.policy.limit ?? BudgetCatalog.unlimited }
    modes = patterns.map(\.policy.mode)
    judgesUncharged = patterns.contains { $0.policy.mode == .freeze || $0.policy.limit == .zero }
    windows = patterns.map { keys.knownWindow(text: $0.key.windowText) ?? -1 }
    overflows = patterns.map { slotOf($0.key) }
    var members: [Int32] = []
    providers = PatternGroups(.provider, patterns, &members)
    models = PatternGroups(.model, patterns, &members)
    tags = PatternGroups(.tag, patterns, &members)
    self.members = members
  }

  /// The same patterns with these changes over their policies.
  init(_ other: CatalogPatterns, _ changed: [Int: ChangedPolicy]) {
    configured = other.configured
    self.changed = changed
    definitions = configured.indices.map { number in
      var pattern = other.configured[number]
      if let change = changed[number] { pattern.policy = change.over(pattern.policy) }
      return pattern
    }
    limits = definitions.map { $0.policy.limit ?? BudgetCatalog.unlimited }
    modes = definitions.map(\.policy.mode)
    judgesUncharged = definitions.contains { $0.policy.mode == .freeze || $0.policy.limit == .zero }
    (windows, overflows, full) = (other.windows, other.overflows, other.full)
    members = other.members
    (tags, providers, models) = (other.tags, other.providers, other.models)
  }

  /// The limit and mode in force of names by a pattern.
  func policy(_ number: Int) -> (limit: PicoUSD, mode: BudgetMode) {
    (limits[number], modes[number])
  }

  var isEmpty: Bool { definitions.isEmpty }

  func has(_ scope: BudgetScope) -> Bool {
    switch scope {
    case .tag: !tags.isEmpty
    case .provider: !providers.isEmpty
    case .model: !models.isEmpty
    case .deployment, .pool, .total: false
    }
  }

  /// The places in `members` of the patterns that give `name` budgets, where it has none of its own;
  /// nil where none matches.
  func group(_ scope: BudgetScope, of name: NameBytes) -> Range<Int>? {
    if name.isEmpty { return nil }
    return switch scope {
    case .tag: tags.group(of: name)
    case .provider: providers.group(of: name)
    case .model: models.group(of: name)
    case .deployment, .pool, .total: nil
    }
  }

  /// The pattern among `group` whose windows have that number; nil where none has.
  func pattern(of window: Int32, in group: Range<Int>) -> Int32? {
    for place in group where windows[Int(members[place])] == window { return members[place] }
    return nil
  }
}

/// The patterns of one scope. The longest prefix of a name that some pattern has decides alone: all
/// shorter ones that match begin it, so what they give beside it is known beforehand.
private final class PatternGroups: Sendable {
  /// The lengths of all prefixes, longest first.
  private let lengths: [Int]
  private let prefixes: NameTable
  /// The bytes that prefixes begin with, a bit for each: most names need no look-up.
  private let firstBytes: InlineArray<4, UInt64>
  private let groups: [Range<Int>]
  /// The group of the pattern that is a star alone.
  private let everything: Range<Int>?

  var isEmpty: Bool { groups.isEmpty }

  init(_ scope: BudgetScope, _ patterns: [BudgetPattern], _ members: inout [Int32]) {
    var texts: [String] = []
    var groups: [Range<Int>] = []
    var everything: Range<Int>?
    let own = patterns.indices.filter { patterns[$0].key.scope == scope }
    for number in own {
      let prefix = patterns[number].prefix
      if texts.contains(where: { ExactText($0) == ExactText(prefix) }) { continue }
      let given = Self.given(prefix, own, patterns)
      let group = members.count..<members.count + given.count
      members += given
      texts.append(prefix)
      groups.append(group)
      if prefix.isEmpty { everything = group }
    }
    self.groups = groups
    self.everything = everything
    let named = texts.indices.filter { !texts[$0].isEmpty }
    prefixes = NameTable(named.map { (name: texts[$0], value: Int32($0)) })
    lengths = Set(named.map { texts[$0].utf8.count }).sorted(by: >)
    var firstBytes = InlineArray<4, UInt64>(repeating: 0)
    for first in named.compactMap({ texts[$0].utf8.first }) {
      firstBytes[Int(first >> 6)] |= 1 << UInt64(first & 63)
    }
    self.firstBytes = firstBytes
  }

  /// The patterns of a name that begins with `prefix` and no longer one: of each window the longest.
  private static func given(
    _ prefix: String, _ own: [Int], _ patterns: [BudgetPattern]
  ) -> [Int32] {
    let matching = own.filter { patterns[$0].matches(prefix) }
      .sorted { patterns[$0].prefix.utf8.count > patterns[$1].prefix.utf8.count }
    var given: [Int] = []
    for number in matching
    where !given.contains(where: { patterns[$0].rule.isLike(patterns[number].rule) }) {
      given.append(number)
    }
    return given.sorted { patterns[$0].rule.isShorter(than: patterns[$1].rule) }.map { Int32($0) }
  }

  /// The group of a name that is not empty.
  func group(of name: NameBytes) -> Range<Int>? {
    let first = name[0]
    guard firstBytes[Int(first >> 6)] & 1 << UInt64(first & 63) != 0 else { return everything }
    for length in lengths where length <= name.count {
      if let group = prefixes[name[0..<length]] { return groups[Int(group)] }
    }
    return everything
  }
}

extension BudgetConfiguration {
  /// The budgets, and behind each scope's own those that patterns charge for names that found no
  /// place: they have the patterns' keys and only count.
  func withOverflows() -> [BudgetDefinition] {
    if patterns.isEmpty { return budgets }
    var all: [BudgetDefinition] = []
    all.reserveCapacity(budgets.count + patterns.count)
    var rest = budgets[...]
    for scope in BudgetScope.inOrder {
      let own = rest.prefix { $0.key.scope == scope }
      all += own
      rest = rest.dropFirst(own.count)
      for pattern in patterns where pattern.key.scope == scope {
        all.append(
          BudgetDefinition(
            key: pattern.key, rule: pattern.rule, policy: BudgetPolicy(limit: nil), origin: .own))
      }
    }
    return all + rest
  }
}
