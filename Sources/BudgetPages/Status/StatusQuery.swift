import BudgetModel
import HTTPPort

/// The choice that a question to `/status.json` makes.
struct StatusQuery: Equatable {
  /// The fault of a query.
  struct Refusal: Error, Equatable {
    let text: String
  }

  var scope: BudgetScope?
  /// Part of a name, in any case; empty: every name.
  var text = ""
  var limit = Self.usualLimit

  static let usualLimit = 100
  static let greatestLimit = 1_000
  /// In bytes.
  static let longestText = 256

  init(_ request: HTTPRequest) throws(Refusal) {
    if let name = request.value(of: "scope"), !name.isEmpty {
      scope = BudgetScope.allCases.first { $0.description == name }
      guard scope != nil else {
        throw Refusal(text: "scope: give provider, deployment or tag, or leave it out")
      }
    }
    text = request.value(of: "q") ?? ""
    guard text.utf8.count <= Self.longestText else {
      throw Refusal(text: "q: give at most \(Self.longestText) bytes of a name")
    }
    if let number = request.value(of: "limit"), !number.isEmpty {
      guard let limit = Int(number), (1...Self.greatestLimit).contains(limit) else {
        throw Refusal(text: "limit: give 1 to \(Self.greatestLimit), or leave it out")
      }
      self.limit = limit
    }
  }

  /// Tells queries apart.
  var key: String { "\(scope?.description ?? "") \(limit) \(text)" }
}
