// Written by proto/generate.sh from proto/budget/v1/budget.proto; never edited.

/// The methods of the contract, by their field numbers in both envelopes.
public enum MethodName: UInt8, CaseIterable, Hashable, Sendable {
  /// Which of the candidates are still within every budget that applies to them; with `reserve` the
  /// first of them that every budget has room for, and an amount held back for it.
  case filterDeployments = 10
  /// Records what a request cost. Money that was spent is always recorded, over the limit too.
  case recordSpend = 11
  /// Shows where the budgets stand.
  case getProviderBudgets = 12
  /// Holds an amount back until it is settled by RecordSpend, released, or its time is over.
  case reserveSpend = 13
  /// Gives a reservation back.
  case releaseReservation = 14
  /// Changes the limit of a budget, or the mode of a name's budgets, on every node.
  case setBudget = 15
  /// Copies the ledger to a file on the server's disk.
  case backupLedger = 16
  /// Has the configuration's limit and mode hold again.
  case clearBudget = 17
  /// Ends a budget's window now and begins the next one.
  case resetBudget = 18
  /// The audit: who changed what; and the changes in force.
  case listChanges = 19
  /// Says who the connection is. Until then only this and Ping are answered, where the server has
  /// an access file; where it has none, everybody is admin.
  case authenticate = 20
  /// Who answers, and whether it is ready.
  case ping = 21
  /// Lets a reservation end later than it would: for long streams.
  case extendReservation = 22
  /// A budget's windows and their spend: the open one, then ended ones, the newest first.
  case getSpendHistory = 23
  /// Every budget that FilterDeployments would ask about the same request, and what each says.
  case explainRequest = 24
  /// Reads the configuration again and puts it in force, as SIGHUP does.
  case reloadConfig = 25
}

/// An element for what has no method, at 0, then one for each method, at its `position`.
public typealias PerMethod<Element: ~Copyable> = InlineArray<17, Element>

extension MethodName: CustomStringConvertible {
  /// The method's position among all, from 1.
  @inlinable public var position: Int {
    switch self {
    case .filterDeployments: 1
    case .recordSpend: 2
    case .getProviderBudgets: 3
    case .reserveSpend: 4
    case .releaseReservation: 5
    case .setBudget: 6
    case .backupLedger: 7
    case .clearBudget: 8
    case .resetBudget: 9
    case .listChanges: 10
    case .authenticate: 11
    case .ping: 12
    case .extendReservation: 13
    case .getSpendHistory: 14
    case .explainRequest: 15
    case .reloadConfig: 16
    }
  }

  /// The field's name in the envelopes, such as `filter_deployments`.
  public var description: String {
    switch self {
    case .filterDeployments: "filter_deployments"
    case .recordSpend: "record_spend"
    case .getProviderBudgets: "get_provider_budgets"
    case .reserveSpend: "reserve_spend"
    case .releaseReservation: "release_reservation"
    case .setBudget: "set_budget"
    case .backupLedger: "backup_ledger"
    case .clearBudget: "clear_budget"
    case .resetBudget: "reset_budget"
    case .listChanges: "list_changes"
    case .authenticate: "authenticate"
    case .ping: "ping"
    case .extendReservation: "extend_reservation"
    case .getSpendHistory: "get_spend_history"
    case .explainRequest: "explain_request"
    case .reloadConfig: "reload_config"
    }
  }

  /// The method's name in the contract's service, such as `FilterDeployments`.
  public var serviceName: String {
    switch self {
    case .filterDeployments: "FilterDeployments"
    case .recordSpend: "RecordSpend"
    case .getProviderBudgets: "GetProviderBudgets"
    case .reserveSpend: "ReserveSpend"
    case .releaseReservation: "ReleaseReservation"
    case .setBudget: "SetBudget"
    case .backupLedger: "BackupLedger"
    case .clearBudget: "ClearBudget"
    case .resetBudget: "ResetBudget"
    case .listChanges: "ListChanges"
    case .authenticate: "Authenticate"
    case .ping: "Ping"
    case .extendReservation: "ExtendReservation"
    case .getSpendHistory: "GetSpendHistory"
    case .explainRequest: "ExplainRequest"
    case .reloadConfig: "ReloadConfig"
    }
  }

  /// The kind of the method's message.
  var messageKind: MessageKind {
    switch self {
    case .filterDeployments: .filterDeployments
    case .recordSpend: .recordSpend
    case .getProviderBudgets: .getProviderBudgets
    case .reserveSpend: .reserveSpend
    case .releaseReservation: .releaseReservation
    case .setBudget: .setBudget
    case .backupLedger: .backupLedger
    case .clearBudget: .clearBudget
    case .resetBudget: .resetBudget
    case .listChanges: .listChanges
    case .authenticate: .authenticate
    case .ping: .ping
    case .extendReservation: .extendReservation
    case .getSpendHistory: .getSpendHistory
    case .explainRequest: .filterDeployments
    case .reloadConfig: .reloadConfig
    }
  }
}

/// A message that a request may hold: which rules its fields are judged by.
enum MessageKind: UInt8, CaseIterable, Hashable, Sendable {
  case request
  case filterDeployments
  case deployment
  case recordSpend
  case getProviderBudgets
  case reserveSpend
  case releaseReservation
  case setBudget
  case backupLedger
  case clearBudget
  case resetBudget
  case listChanges
  case authenticate
  case ping
  case extendReservation
  case getSpendHistory
  case reloadConfig
}

/// A bit for each singular field of a message, at its rule's place.
typealias FieldSet = UInt32

/// A number for each list of a message, at its rule's place.
typealias ListCounts = InlineArray<4, Int32>

extension FieldRule {
  /// The rule of field `number` of a message of `kind`; nil: the schema has no such field. A
  /// switch rather than a dictionary: it compiles to a jump and touches no heap.
  @inline(__always)
  static func rule(for number: UInt32, of kind: MessageKind) -> FieldRule? {
    switch kind {
    case .request:
      switch number {
      case 1: FieldRule(0, .once, at: 1)
      case 2: FieldRule(0, .once, at: 2)
      case 10: FieldRule(2, .once, at: 10, holding: .filterDeployments)
      case 11: FieldRule(2, .once, at: 11, holding: .recordSpend)
      case 12: FieldRule(2, .once, at: 12, holding: .getProviderBudgets)
      case 13: FieldRule(2, .once, at: 13, holding: .reserveSpend)
      case 14: FieldRule(2, .once, at: 14, holding: .releaseReservation)
      case 15: FieldRule(2, .once, at: 15, holding: .setBudget)
      case 16: FieldRule(2, .once, at: 16, holding: .backupLedger)
      case 17: FieldRule(2, .once, at: 17, holding: .clearBudget)
      case 18: FieldRule(2, .once, at: 18, holding: .resetBudget)
      case 19: FieldRule(2, .once, at: 19, holding: .listChanges)
      case 20: FieldRule(2, .once, at: 20, holding: .authenticate)
      case 21: FieldRule(2, .once, at: 21, holding: .ping)
      case 22: FieldRule(2, .once, at: 22, holding: .extendReservation)
      case 23: FieldRule(2, .once, at: 23, holding: .getSpendHistory)
      case 24: FieldRule(2, .once, at: 24, holding: .filterDeployments)
      case 25: FieldRule(2, .once, at: 25, holding: .reloadConfig)
      default: nil
      }
    case .filterDeployments:
      switch number {
      case 1: FieldRule(2, .deployments, at: 0, holding: .deployment)
      case 2: FieldRule(2, .tags, at: 1)
      case 3: FieldRule(2, .once, at: 3)
      case 4: FieldRule(1, .once, at: 4)
      case 5: FieldRule(0, .once, at: 5)
      case 6: FieldRule(1, .once, at: 6)
      case 7: FieldRule(0, .once, at: 7)
      case 8: FieldRule(2, .once, at: 8)
      default: nil
      }
    case .deployment:
      switch number {
      case 1: FieldRule(2, .once, at: 1)
      case 2: FieldRule(2, .once, at: 2)
      case 3: FieldRule(2, .once, at: 3)
      case 4: FieldRule(2, .once, at: 4)
      case 5: FieldRule(1, .once, at: 5)
      case 6: FieldRule(0, .once, at: 6)
      default: nil
      }
    case .recordSpend:
      switch number {
      case 1: FieldRule(2, .once, at: 1)
      case 2: FieldRule(2, .once, at: 2)
      case 3: FieldRule(2, .once, at: 3)
      case 4: FieldRule(2, .tags, at: 0)
      case 5: FieldRule(1, .once, at: 5)
      case 6: FieldRule(2, .once, at: 6)
      case 7: FieldRule(2, .once, at: 7)
      case 8: FieldRule(2, .once, at: 8)
      default: nil
      }
    case .getProviderBudgets:
      switch number {
      case 1: FieldRule(2, .list, at: 0)
      case 2: FieldRule(0, .once, at: 2)
      case 3: FieldRule(0, .once, at: 3)
      case 4: FieldRule(0, .once, at: 4)
      case 5: FieldRule(2, .once, at: 5)
      case 6: FieldRule(2, .list, at: 1)
      case 7: FieldRule(2, .tags, at: 2)
      case 8: FieldRule(0, .once, at: 8)
      case 9: FieldRule(0, .once, at: 9)
      case 10: FieldRule(2, .list, at: 3)
      case 11: FieldRule(2, .once, at: 11)
      case 12: FieldRule(0, .once, at: 12)
      default: nil
      }
    case .reserveSpend:
      switch number {
      case 1: FieldRule(2, .once, at: 1)
      case 2: FieldRule(2, .once, at: 2)
      case 3: FieldRule(2, .once, at: 3)
      case 4: FieldRule(2, .tags, at: 0)
      case 5: FieldRule(1, .once, at: 5)
      case 6: FieldRule(0, .once, at: 6)
      case 7: FieldRule(2, .once, at: 7)
      case 8: FieldRule(2, .once, at: 8)
      default: nil
      }
    case .releaseReservation:
      switch number {
      case 1: FieldRule(2, .once, at: 1)
      default: nil
      }
    case .setBudget:
      switch number {
      case 1: FieldRule(0, .once, at: 1)
      case 2: FieldRule(2, .once, at: 2)
      case 3: FieldRule(2, .once, at: 3)
      case 4: FieldRule(1, .once, at: 4)
      case 5: FieldRule(0, .once, at: 5)
      case 6: FieldRule(0, .once, at: 6)
      case 7: FieldRule(0, .once, at: 7)
      case 8: FieldRule(2, .once, at: 8)
      case 9: FieldRule(2, .once, at: 9)
      default: nil
      }
    case .backupLedger:
      switch number {
      case 1: FieldRule(2, .once, at: 1)
      default: nil
      }
    case .clearBudget:
      switch number {
      case 1: FieldRule(0, .once, at: 1)
      case 2: FieldRule(2, .once, at: 2)
      case 3: FieldRule(2, .once, at: 3)
      case 4: FieldRule(2, .once, at: 4)
      default: nil
      }
    case .resetBudget:
      switch number {
      case 1: FieldRule(0, .once, at: 1)
      case 2: FieldRule(2, .once, at: 2)
      case 3: FieldRule(2, .once, at: 3)
      case 4: FieldRule(1, .once, at: 4)
      case 5: FieldRule(2, .once, at: 5)
      default: nil
      }
    case .listChanges:
      switch number {
      case 1: FieldRule(0, .once, at: 1)
      case 2: FieldRule(2, .once, at: 2)
      case 3: FieldRule(0, .once, at: 3)
      default: nil
      }
    case .authenticate:
      switch number {
      case 1: FieldRule(2, .once, at: 1)
      default: nil
      }
    case .ping: nil
    case .extendReservation:
      switch number {
      case 1: FieldRule(2, .once, at: 1)
      case 2: FieldRule(0, .once, at: 2)
      default: nil
      }
    case .getSpendHistory:
      switch number {
      case 1: FieldRule(0, .once, at: 1)
      case 2: FieldRule(2, .once, at: 2)
      case 3: FieldRule(2, .once, at: 3)
      case 4: FieldRule(0, .once, at: 4)
      case 5: FieldRule(2, .once, at: 5)
      default: nil
      }
    case .reloadConfig: nil
    }
  }

  /// The number of the list that is counted at `place` in a message of `kind`; 0: none is.
  static func list(at place: Int, of kind: MessageKind) -> UInt32 {
    switch (kind, place) {
    case (.filterDeployments, 0): 1
    case (.filterDeployments, 1): 2
    case (.recordSpend, 0): 4
    case (.getProviderBudgets, 0): 1
    case (.getProviderBudgets, 1): 6
    case (.getProviderBudgets, 2): 7
    case (.getProviderBudgets, 3): 10
    case (.reserveSpend, 0): 4
    default: 0
    }
  }
}

extension WireField: CustomStringConvertible {
  /// The field's name in budget.proto.
  public var description: String {
    switch (message, number) {
    case (.request, 1): "call_id"
    case (.request, 2): "timeout_ms"
    case (.request, 10): "filter_deployments"
    case (.request, 11): "record_spend"
    case (.request, 12): "get_provider_budgets"
    case (.request, 13): "reserve_spend"
    case (.request, 14): "release_reservation"
    case (.request, 15): "set_budget"
    case (.request, 16): "backup_ledger"
    case (.request, 17): "clear_budget"
    case (.request, 18): "reset_budget"
    case (.request, 19): "list_changes"
    case (.request, 20): "authenticate"
    case (.request, 21): "ping"
    case (.request, 22): "extend_reservation"
    case (.request, 23): "get_spend_history"
    case (.request, 24): "explain_request"
    case (.request, 25): "reload_config"
    case (.filterDeployments, 1): "deployments"
    case (.filterDeployments, 2): "tags"
    case (.filterDeployments, 3): "model_name"
    case (.filterDeployments, 4): "estimated_cost_usd"
    case (.filterDeployments, 5): "reserve"
    case (.filterDeployments, 6): "reserve_usd"
    case (.filterDeployments, 7): "reserve_ttl_ms"
    case (.filterDeployments, 8): "idempotency_key"
    case (.deployment, 1): "id"
    case (.deployment, 2): "model_name"
    case (.deployment, 3): "model"
    case (.deployment, 4): "provider"
    case (.deployment, 5): "estimated_cost_usd"
    case (.deployment, 6): "free"
    case (.recordSpend, 1): "provider"
    case (.recordSpend, 2): "deployment_id"
    case (.recordSpend, 3): "model"
    case (.recordSpend, 4): "tags"
    case (.recordSpend, 5): "cost_usd"
    case (.recordSpend, 6): "idempotency_key"
    case (.recordSpend, 7): "reservation_id"
    case (.recordSpend, 8): "model_name"
    case (.getProviderBudgets, 1): "providers"
    case (.getProviderBudgets, 2): "include_deployments"
    case (.getProviderBudgets, 3): "include_tags"
    case (.getProviderBudgets, 4): "page_size"
    case (.getProviderBudgets, 5): "page_token"
    case (.getProviderBudgets, 6): "deployment_ids"
    case (.getProviderBudgets, 7): "tags"
    case (.getProviderBudgets, 8): "include_models"
    case (.getProviderBudgets, 9): "include_pools"
    case (.getProviderBudgets, 10): "models"
    case (.getProviderBudgets, 11): "pattern"
    case (.getProviderBudgets, 12): "nearest"
    case (.reserveSpend, 1): "provider"
    case (.reserveSpend, 2): "deployment_id"
    case (.reserveSpend, 3): "model"
    case (.reserveSpend, 4): "tags"
    case (.reserveSpend, 5): "amount_usd"
    case (.reserveSpend, 6): "ttl_ms"
    case (.reserveSpend, 7): "idempotency_key"
    case (.reserveSpend, 8): "model_name"
    case (.releaseReservation, 1): "reservation_id"
    case (.setBudget, 1): "scope"
    case (.setBudget, 2): "name"
    case (.setBudget, 3): "window"
    case (.setBudget, 4): "limit_usd"
    case (.setBudget, 5): "no_limit"
    case (.setBudget, 6): "mode"
    case (.setBudget, 7): "until_unix_ms"
    case (.setBudget, 8): "reason"
    case (.setBudget, 9): "if_version"
    case (.backupLedger, 1): "path"
    case (.clearBudget, 1): "scope"
    case (.clearBudget, 2): "name"
    case (.clearBudget, 3): "window"
    case (.clearBudget, 4): "reason"
    case (.resetBudget, 1): "scope"
    case (.resetBudget, 2): "name"
    case (.resetBudget, 3): "window"
    case (.resetBudget, 4): "to_usd"
    case (.resetBudget, 5): "reason"
    case (.listChanges, 1): "page_size"
    case (.listChanges, 2): "page_token"
    case (.listChanges, 3): "since_unix_ms"
    case (.authenticate, 1): "token"
    case (.extendReservation, 1): "reservation_id"
    case (.extendReservation, 2): "ttl_ms"
    case (.getSpendHistory, 1): "scope"
    case (.getSpendHistory, 2): "name"
    case (.getSpendHistory, 3): "window"
    case (.getSpendHistory, 4): "page_size"
    case (.getSpendHistory, 5): "page_token"
    default: "field \(number)"
    }
  }
}
