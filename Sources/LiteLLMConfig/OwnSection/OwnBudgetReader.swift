import BudgetModel
import Documents

/// Reads the section `budgetd:`: the budgets that LiteLLM has no words for.
struct OwnBudgetReader {
  static let section = "budgetd"
  static let example = "{provider: openai, limit: 100, window: month}"

  /// Other names of model groups: a budget is for the group.
  let aliases: [String: String]
  var findings: Findings
  var calendars: CalendarTables
  var own = OwnBudgets()
  /// The zone of windows whose entry names none.
  var zone = ZoneTable.utc

  init(aliases: [String: String], findings: Findings, calendars: CalendarTables) {
    self.aliases = aliases
    self.findings = findings
    self.calendars = calendars
  }

  /// Reads all of it; a bad budget does not hide the others' problems.
  mutating func read(_ node: DocumentNode) {
    let path = Self.section
    guard let mapping = node.mapping else {
      findings.log.add(
        node, path,
        "this is \(node.words): it has to be a mapping with budgets, a list such as - \(Self.example)"
      )
      return
    }
    OwnKeys.section.judge(mapping, at: path, &findings)
    if let node = findings.value(of: "time_zone", in: mapping, at: path) {
      zone = zone(node, path: "\(path).time_zone") ?? .utc
    }
    readWhenFull(mapping)
    if let node = mapping["alerts"], !node.isNull {
      var reader = AlertReader(findings: findings)
      own.alerts = reader.read(node)
      findings = reader.findings
    }
    if let node = mapping["budgets"], !node.isNull {
      guard let entries = node.sequence else {
        findings.log.add(
          node, "\(path).budgets",
          "this is \(node.words): it has to be a list of budgets, such as - \(Self.example)")
        return
      }
      for (index, entry) in entries.enumerated() {
        readBudget(entry, path: "\(path).budgets[\(index)]")
      }
    }
    judgePools()
  }

  private mutating func readWhenFull(_ mapping: DocumentMapping) {
    let key = "dynamic_budgets_full"
    guard let node = findings.value(of: key, in: mapping, at: Self.section) else { return }
    guard let choice = node.text.flatMap(DynamicBudgetsFull.init(rawValue:)) else {
      findings.log.add(
        node, "\(Self.section).\(key)",
        "this is \(node.words): write open (a name without room is not denied) or deny")
      return
    }
    own.dynamicBudgetsFull = choice
  }

  private mutating func readBudget(_ node: DocumentNode, path: String) {
    guard let entry = node.mapping else {
      findings.log.add(
        node, path, "this is \(node.words): a budget has to be a mapping, such as \(Self.example)")
      return
    }
    let found = findings.log.count
    OwnKeys.budget.judge(entry, at: path, &findings)
    let subject = subject(of: entry, at: Place(node: node, path: path))
    let window = window(of: entry, at: Place(node: node, path: path))
    let policy = policy(of: entry, at: path)
    guard findings.log.count == found, let subject, let window else { return }
    let key = BudgetKey(scope: subject.scope, name: subject.name, windowText: window.text)
    if policy.limit == .zero, policy.mode == .enforce {
      findings.warnings.add(
        node, path, "the limit is 0: nothing may be spent; no limit is written null")
    }
    add(key, rule: window.rule, policy: policy, at: Place(node: node, path: path))
  }

  /// The place of an entry.
  struct Place {
    var node: DocumentNode
    var path: String
  }

  private mutating func add(
    _ key: BudgetKey, rule: WindowRule, policy: BudgetPolicy, at place: Place
  ) {
    let line = place.node.line
    let identity = BudgetIdentities.Identity(key: key, rule: rule, line: line, path: place.path)
    if let clash = own.identities.add(identity) {
      findings.log.add(
        place.node, place.path,
        OwnBudgets.words(
          key, hasToo: clash, whose: "a budget",
          there: findings.log.lines.words(clash.line, from: line)))
      return
    }
    guard key.scope != .total, key.scope != .pool, key.name.utf8.last == UInt8(ascii: "*") else {
      own.budgets.append(BudgetDefinition(key: key, rule: rule, policy: policy, origin: .own))
      return
    }
    own.patterns.append(BudgetPattern(key: key, rule: rule, policy: policy))
    guard own.patterns.count == BudgetPattern.maximumCount + 1 else { return }
    findings.log.add(
      place.node, place.path,
      "this is pattern \(own.patterns.count): at most \(BudgetPattern.maximumCount) are taken")
  }

  private mutating func policy(of entry: DocumentMapping, at path: String) -> BudgetPolicy {
    var policy = BudgetPolicy(limit: nil)
    if entry["limit"] == nil, let stranger = OwnKeys.budget.stranger(in: entry) {
      findings.log.add(
        stranger, "\(path).\(stranger.pathSegment)",
        "unknown key \(DocumentProblem.quoted(stranger.text ?? "")), and no limit: did you mean "
          + "limit? A budget that only counts has limit: null")
    }
    if let node = findings.value(of: "limit", in: entry, at: path) {
      // The log says why where this gives nothing.
      policy.limit =
        (try? BudgetTerms.limit(node, path: "\(path).limit", log: &findings.log)) ?? nil
    }
    guard let node = findings.value(of: "mode", in: entry, at: path) else { return policy }
    guard let mode = BudgetMode.allCases.first(where: { $0.description == node.text }) else {
      let words = BudgetMode.allCases.map(\.description)
      let meant = node.text.flatMap { Spelling.nearest(to: $0, among: words) }
      findings.log.add(
        node, "\(path).mode",
        "this is \(node.words): " + (meant.map { "did you mean \($0)? Modes are " } ?? "write ")
          + "enforce, shadow (never denies) or freeze (always denies)")
      return policy
    }
    policy.mode = mode
    return policy
  }
}
