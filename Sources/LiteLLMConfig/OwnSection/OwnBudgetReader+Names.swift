import BudgetModel
import Documents

// The owner of a budget: one of six kinds of names.

extension OwnBudgetReader {
  /// The owner of a budget.
  struct Subject {
    var scope: BudgetScope
    var name: String
  }

  /// The entry's owner; nil where that is refused. The members of a pool are read on the way.
  mutating func subject(of entry: DocumentMapping, at place: Place) -> Subject? {
    let written = entry.entries.filter { $0.key.text.flatMap(BudgetScope.init(word:)) != nil }
    guard let first = written.first, let scope = first.key.text.flatMap(BudgetScope.init(word:))
    else {
      findings.log.add(
        place.node, place.path,
        "this budget names nothing: give it one of provider, deployment, model, pool, tag, or "
          + "total: true")
      return nil
    }
    if let second = written.dropFirst().first?.key.text {
      findings.log.add(
        written[1].key, "\(place.path).\(second)",
        "this budget has a \(scope) and a \(second): give it one of them, and the other an entry of "
          + "its own; a pool is one budget for several")
      return nil
    }
    if scope != .pool, let members = entry.entry("of") {
      findings.log.add(
        members.key, "\(place.path).of",
        "these are the members of a pool, and this budget is for a \(scope): write pool: NAME in its "
          + "place")
    }
    let path = "\(place.path).\(scope)"
    guard let node = findings.settled(first.value, path: path) else { return nil }
    if scope == .total {
      guard node.bool == true else {
        findings.log.add(node, path, "this is \(node.words): write total: true, or leave it out")
        return nil
      }
      return Subject(scope: .total, name: BudgetKey.totalName)
    }
    guard let name = name(node, of: scope, path: path) else { return nil }
    if scope == .pool {
      readMembers(of: name, entry, at: place)
    } else if name.utf8.last != UInt8(ascii: "*") {
      own.names[scope, default: []].append(WrittenName(text: name, line: node.line, path: path))
    }
    return Subject(scope: scope, name: name)
  }

  /// A name of that kind, which may end in `*` where names of the kind have patterns.
  private mutating func name(_ node: DocumentNode, of scope: BudgetScope, path: String) -> String? {
    guard let name = plainName(node, of: scope, path: path) else { return nil }
    let complaint: String? =
      switch (scope, Self.star(in: name)) {
      case (_, .none): nil
      case (.pool, _): "a pool has one budget and no pattern: leave the * out of its name"
      case (.deployment, _):
        "budgets of deployments name each by its whole id: give each an entry, or all of them a pool "
          + "(of: {deployments: [d-*]})"
      case (_, .atEnd): nil
      case (_, .elsewhere): Self.starComplaint
      }
    guard let complaint else { return name }
    findings.log.add(node, path, complaint)
    return nil
  }

  /// A name by the rules that hold for names of any kind.
  mutating func plainName(_ node: DocumentNode, of scope: BudgetScope, path: String) -> String? {
    let name: String
    switch node.value {
    case .string(let text): name = text
    // LiteLLM takes a number for an id, too.
    case .integer(let digits) where scope == .deployment: name = digits
    default:
      findings.log.add(node, path, "the \(scope) is \(node.words): write its name as a text")
      return nil
    }
    if let complaint = NameRule.complaint(name) {
      findings.log.add(node, path, complaint)
      return nil
    }
    if scope == .model, let group = aliases[name], group != name {
      findings.log.add(
        node, path,
        "\(DocumentProblem.quoted(name)) is an alias, and what is asked for by it counts as its model "
          + "group: write \(DocumentProblem.plain(group))")
      return nil
    }
    return name
  }

  /// The place of a `*` in a name.
  enum Star { case none, atEnd, elsewhere }

  static func star(in name: String) -> Star {
    let star = UInt8(ascii: "*")
    if name.utf8.dropLast().contains(star) { return .elsewhere }
    return name.utf8.last == star ? .atEnd : .none
  }

  static let starComplaint =
    "a * stands for the rest of a name, at its end only: write a whole name, or how names begin and "
    + "a *, such as 'user:*'"
}
