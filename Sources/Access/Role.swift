/// A client's leave. Each role may do what those before it may.
public enum Role: UInt8, CaseIterable, Comparable, Hashable, Sendable {
  /// Ask which deployments are within budget.
  case check = 1
  /// See budgets, history, pages and metrics.
  case read
  /// Record and reserve spend.
  case spend
  /// Everything else: backups, and changes of budgets.
  case admin

  /// Whether `left` may do less than `right`.
  public static func < (left: Role, right: Role) -> Bool { left.rawValue < right.rawValue }

  /// The role of that name.
  public init?(name: String) {
    guard let role = Role.allCases.first(where: { $0.description == name }) else { return nil }
    self = role
  }
}

extension Role: CustomStringConvertible {
  /// The role's name, as the access file has it.
  public var description: String {
    switch self {
    case .check: "check"
    case .read: "read"
    case .spend: "spend"
    case .admin: "admin"
    }
  }
}
