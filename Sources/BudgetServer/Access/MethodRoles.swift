import Access
import BudgetWire

extension MethodName {
  /// The least role that may call the method; nil: whoever has not said who they are may, too.
  ///
  /// Without a default: a new method that has no rule does not build.
  @inline(__always)
  var leastRole: Role? {
    switch self {
    case .filterDeployments: .check
    case .getProviderBudgets, .getSpendHistory, .explainRequest, .listChanges: .read
    case .recordSpend, .reserveSpend, .releaseReservation, .extendReservation: .spend
    case .backupLedger, .setBudget, .clearBudget, .resetBudget, .reloadConfig: .admin
    case .authenticate, .ping: nil
    }
  }
}

/// A connection's leave, in one byte: a role's number, or none.
struct RoleByte: Equatable {
  /// Nobody has said who they are.
  static let stranger = RoleByte(value: 0)

  private let value: UInt8

  private init(value: UInt8) { self.value = value }

  init(_ role: Role?) { value = role?.rawValue ?? 0 }

  /// Whether it may call `method`; nil: a request without a method that this build knows, which says
  /// only that. A stranger is not told so much.
  @inline(__always)
  func allows(_ method: MethodName?) -> Bool {
    guard let method else { return value > 0 }
    return value >= method.leastRole?.rawValue ?? 0
  }

  /// The role; nil: a stranger's.
  var role: Role? { Role(rawValue: value) }
}
