/// One line of the audit: who did, or was refused, what to the budgets, and why.
public struct AuditEntry: Hashable, Sendable {
  /// When, fleet time.
  public var at: Timestamp
  /// The thing that was done, such as `set_budget`.
  public var action: String
  /// Who did it, and from where.
  public var author: ChangeAuthor
  /// The node that it was done on.
  public var node: String
  /// The budget, or with an empty window the name; nil: it is of none.
  public var target: BudgetKey?
  /// The value before, in words.
  public var before = ""
  /// The value since, in words.
  public var after = ""
  /// Why, in the operator's words.
  public var reason = ""
  /// Why it was refused; empty: it was done.
  public var refusal = ""

  /// A line of what is always known.
  public init(at: Timestamp, action: String, by author: ChangeAuthor, node: String) {
    self.at = at
    self.action = action
    self.author = author
    self.node = node
  }

  /// Longer texts are cut: a line is some hundred bytes.
  public static let longestText = 512
  private static let form = "1"

  /// The line as the ledger keeps it: fields apart by tabs, control characters replaced.
  public var text: String {
    let fields = [
      Self.form, action, author.name, author.place, node, target?.scope.description ?? "",
      target?.name ?? "", target?.windowText ?? "", before, after, reason, refusal,
    ]
    return fields.map(Self.field).joined(separator: "\t")
  }

  private static func field(_ text: String) -> String {
    var field = ""
    for character in text.unicodeScalars {
      let isControl = character.value < 0x20 || (0x7F...0x9F).contains(character.value)
      field.unicodeScalars.append(isControl ? " " : character)
      if field.utf8.count >= longestText { break }
    }
    return field
  }

  /// Reads a line; nil: it is not one that `text` writes.
  public init?(text: String, at: Timestamp) {
    let fields = text.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    guard fields.count == 12, fields[0] == Self.form else { return nil }
    self.init(
      at: at, action: fields[1], by: ChangeAuthor(name: fields[2], place: fields[3]),
      node: fields[4])
    if !fields[5].isEmpty {
      guard let scope = BudgetScope(word: fields[5]) else { return nil }
      target = BudgetKey(scope: scope, name: fields[6], windowText: fields[7])
    }
    (before, after, reason, refusal) = (fields[8], fields[9], fields[10], fields[11])
  }
}

extension AuditEntry: CustomStringConvertible {
  /// As the log has it: `set_budget provider openai per 1d by ops at 10.1.2.3: limit 100 to limit 150
  /// (launch)`.
  public var description: String {
    var text = action
    if let target { text += " " + target.changeText }
    text += " by \(author)"
    if !refusal.isEmpty { return text + " refused: \(refusal)" }
    let values = [before, after].filter { !$0.isEmpty }.joined(separator: " to ")
    if !values.isEmpty { text += ": \(values)" }
    return reason.isEmpty ? text : text + " (\(reason))"
  }
}

extension BudgetKey {
  /// As `description`; of a name, with all its budgets, without a window.
  public var changeText: String {
    if !windowText.isEmpty { return description }
    return scope == .total ? "total" : "\(scope) \(name)"
  }
}
