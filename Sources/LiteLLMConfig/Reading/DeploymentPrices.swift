import Documents

/// The prices that a file gives a deployment: under `litellm_params` or `model_info`.
struct DeploymentPrices {
  let parameters: DocumentMapping
  let info: DocumentMapping?

  /// The prices that have to be there for a deployment to be free.
  private static let needed = ["input_cost_per_token", "output_cost_per_token"]

  /// Whether tokens cost nothing, and nothing else costs anything.
  ///
  /// A price is whatever has `cost` or `pric` in its name. One that cannot be read is not 0, but a
  /// text that is no number is no price (`cost_center: research`), unless its name says so.
  var areZero: Bool {
    let places = [parameters, info].compactMap { $0 }
    guard
      Self.needed.allSatisfy({ key in
        places.contains { $0[key].map { !$0.isNull } ?? false }
      })
    else { return false }
    return places.allSatisfy { place in
      place.entries.allSatisfy { entry in
        guard let key = entry.key.text, Self.isPrice(key) else { return true }
        return Self.isZero(entry.value, mustBeNumber: Self.isSurelyPrice(key))
      }
    }
  }

  private static func isPrice(_ key: String) -> Bool {
    key.contains("cost") || key.contains("pric")
  }

  private static func isSurelyPrice(_ key: String) -> Bool {
    key.contains("cost_per") || key.hasSuffix("_cost")
  }

  private static func isZero(_ node: DocumentNode, mustBeNumber: Bool) -> Bool {
    switch node.value {
    case .null: true
    case .integer, .float: node.number == 0
    case .string(let text): PythonNumber.float(text).map { $0 == 0 } ?? !mustBeNumber
    case .sequence(let nodes): nodes.allSatisfy { isZero($0, mustBeNumber: mustBeNumber) }
    case .mapping(let mapping):
      mapping.entries.allSatisfy { isZero($0.value, mustBeNumber: mustBeNumber) }
    case .bool, .timestamp: false
    }
  }
}
