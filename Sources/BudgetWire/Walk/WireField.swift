/// A field of the requests' schema.
public struct WireField: Hashable, Sendable {
  let message: MessageKind
  let number: UInt32
}

extension WireField: CustomStringConvertible {
  /// The field's name in budget.proto.
  public var description: String {
    let names = Self.names(of: message)
    return Int(number) < names.count ? names[Int(number)] : "field \(number)"
  }

  /// The names by field number; number 0 is no field.
  private static func names(of message: MessageKind) -> [String] {
    switch message {
    case .request:
      ["", "call_id", "timeout_ms"] + (3..<10).map { "field \($0)" }
        + (10..<32).map {
          MethodName(rawValue: $0).map(\.description) ?? "field \($0)"
        }
    case .filterDeployments: ["", "deployments", "tags", "model_name", "estimated_cost_usd"]
    case .deployment: ["", "id", "model_name", "model", "provider"]
    case .recordSpend:
      [
        "", "provider", "deployment_id", "model", "tags", "cost_usd", "idempotency_key",
        "reservation_id",
      ]
    case .getProviderBudgets:
      [
        "", "providers", "include_deployments", "include_tags", "page_size", "page_token",
        "deployment_ids", "tags",
      ]
    case .reserveSpend:
      [
        "", "provider", "deployment_id", "model", "tags", "amount_usd", "ttl_ms",
        "idempotency_key",
      ]
    case .releaseReservation: ["", "reservation_id"]
    case .backupLedger: ["", "path"]
    case .authenticate: ["", "token"]
    case .ping: [""]
    }
  }
}
