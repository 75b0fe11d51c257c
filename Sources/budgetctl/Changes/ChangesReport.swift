import BudgetClient
import BudgetModel
import JSONWriting

/// The audit and the changes in force, for people and for programs.
struct ChangesReport {
  private let changes: ListChangesResponse

  init(_ changes: ListChangesResponse) { self.changes = changes }

  /// Two tables.
  func lines(columns: Int?) -> [String] {
    var lines: [String] = []
    if !changes.inForce.isEmpty {
      lines += PlainTable.lines(
        ["IN FORCE", "CHANGE", "UNTIL", "BY", "REASON"],
        changes.inForce.map { change in
          [
            ChangeText.target(change.target), ChangeText.setting(change),
            Self.time(change.untilUnixMilliseconds) ?? "cleared",
            "\(change.author) at \(change.place)", change.reason,
          ]
        }, columns: columns)
      lines.append("")
    }
    lines += PlainTable.lines(
      ["TIME", "ACTION", "BUDGET", "FROM", "TO", "BY", "REASON"],
      changes.lines.map { line in
        [
          Self.time(line.atUnixMilliseconds) ?? "?", line.action,
          line.target.map { ChangeText.target($0) } ?? "", line.before,
          line.refusal.isEmpty ? line.after : "refused: \(line.refusal)",
          line.place.isEmpty ? line.author : "\(line.author) at \(line.place)", line.reason,
        ]
      }, columns: columns)
    return lines
  }

  private static func time(_ milliseconds: Int64?) -> String? {
    milliseconds.flatMap { Timestamp(showable: $0) }.map(\.iso8601)
  }

  /// One object.
  var json: JSONValue {
    .object([
      ("in_force", .array(changes.inForce.map { Self.json($0) })),
      ("lines", .array(changes.lines.map { Self.json($0) })),
    ])
  }

  private static func json(_ target: BudgetTarget?) -> [(String, JSONValue)] {
    [
      ("scope", target?.scope.map { .string($0.description) } ?? .null),
      ("name", target.map { .string($0.name) } ?? .null),
      ("window", target.flatMap { $0.window.isEmpty ? nil : .string($0.window) } ?? .null),
    ]
  }

  private static func json(_ change: BudgetOverride) -> JSONValue {
    .object(
      json(change.target) + [
        ("limit_usd", .optional(change.limitUSD)), ("no_limit", .bool(change.hasNoLimit)),
        ("mode", change.mode.map { .string($0.description) } ?? .null),
        ("until", .instant(change.untilUnixMilliseconds)), ("reason", .string(change.reason)),
        ("author", .string(change.author)), ("place", .string(change.place)),
        ("made_at", .instant(change.madeAtUnixMilliseconds)),
        ("version", .string(change.version)),
      ])
  }

  private static func json(_ line: AuditLine) -> JSONValue {
    .object(
      [
        ("at", .instant(line.atUnixMilliseconds)), ("action", .string(line.action)),
        ("author", .string(line.author)), ("place", .string(line.place)),
        ("node", .string(line.nodeID)),
      ] + json(line.target) + [
        ("before", .string(line.before)), ("after", .string(line.after)),
        ("reason", .string(line.reason)),
        ("refusal", line.refusal.isEmpty ? .null : .string(line.refusal)),
      ])
  }
}
