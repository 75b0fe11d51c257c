import BudgetModel
import Documents

// Pools: one budget for several providers, models or deployments.

extension OwnBudgetReader {
  /// More members than this no pool has, of each kind.
  static let maximumMembers = 10_000

  /// Notes the pool that an entry names, and its members where they stand in this entry.
  mutating func readMembers(of name: String, _ entry: DocumentMapping, at place: Place) {
    let index = index(of: name, at: place)
    guard let written = entry.entry("of"), !written.value.isNull else { return }
    let path = "\(place.path).of"
    if let line = own.pools[index].membersLine {
      findings.log.add(
        written.key, path,
        "the pool \(DocumentProblem.quoted(name)) has its members in "
          + "\(findings.log.lines.words(line, from: written.key.line)) already: they stand once, and "
          + "count for all budgets of the pool")
      return
    }
    own.pools[index].membersLine = written.key.line
    guard let mapping = written.value.mapping else {
      findings.log.add(
        written.value, path,
        "this is \(written.value.words): it has to be a mapping, such as {providers: [openai], "
          + "models: ['claude-*']}")
      return
    }
    let found = findings.log.count
    OwnKeys.members.judge(mapping, at: path, &findings)
    let providers = members("providers", .provider, in: mapping, at: path)
    let models = members("models", .model, in: mapping, at: path)
    let deployments = members("deployments", .deployment, in: mapping, at: path)
    own.pools[index].members = PoolMembers(
      name: name, providers: providers, models: models, deployments: deployments)
    if providers.isEmpty, models.isEmpty, deployments.isEmpty, findings.log.count == found {
      findings.log.add(
        written.value, path,
        "the pool \(DocumentProblem.quoted(name)) has no members: name providers, models or "
          + "deployments")
    }
  }

  private mutating func index(of name: String, at place: Place) -> Int {
    if let index = own.poolPlaces[ExactText(name)] { return index }
    own.poolPlaces[ExactText(name)] = own.pools.count
    own.pools.append(
      OwnBudgets.Pool(
        members: PoolMembers(name: name, providers: [], models: [], deployments: []),
        node: place.node, path: place.path))
    return own.pools.count - 1
  }

  private mutating func members(
    _ key: String, _ scope: BudgetScope, in mapping: DocumentMapping, at path: String
  ) -> [String] {
    let path = "\(path).\(key)"
    guard let node = mapping[key], !node.isNull else { return [] }
    guard let nodes = node.sequence else {
      findings.log.add(
        node, path, "this is \(node.words): it has to be a list of names, such as [a, b]")
      return []
    }
    guard nodes.count <= Self.maximumMembers else {
      findings.log.add(
        node, path, "these are \(nodes.count): a pool has at most \(Self.maximumMembers) of a kind")
      return []
    }
    var names: [String] = []
    var seen: Set<ExactText> = []
    for (index, node) in nodes.enumerated() {
      let place = "\(path)[\(index)]"
      guard let name = plainName(node, of: scope, path: place) else { continue }
      guard Self.star(in: name) != .elsewhere else {
        findings.log.add(node, place, Self.starComplaint)
        continue
      }
      guard seen.insert(ExactText(name)).inserted else {
        findings.warnings.add(node, place, "this stands here a second time: keep one")
        continue
      }
      names.append(name)
      if Self.star(in: name) == .none {
        own.names[scope, default: []].append(WrittenName(text: name, line: node.line, path: place))
      }
    }
    return names
  }

  /// Pools without members, and too many of them.
  mutating func judgePools() {
    for pool in own.pools where pool.membersLine == nil {
      findings.log.add(
        pool.node, pool.path,
        "nothing says what belongs to the pool \(DocumentProblem.quoted(pool.members.name)): write of: "
          + "{providers: […], models: […], deployments: […]} in one of its budgets")
    }
    guard own.pools.count > PoolMembers.maximumCount else { return }
    let first = own.pools[PoolMembers.maximumCount]
    findings.log.add(
      first.node, first.path,
      "these are \(own.pools.count) pools: at most \(PoolMembers.maximumCount) are taken")
  }
}
