import BudgetModel
import Documents

/// The rule of every name that can have a budget.
enum NameRule {
  /// The fault of `name`, or nil.
  static func complaint(_ name: String) -> String? {
    let length = name.utf8.count
    guard length > 0 else { return "the name is empty: give it 1 to 256 bytes" }
    guard length <= NameBytes.maximumLength else {
      return "the name has \(length) bytes: give it 1 to \(NameBytes.maximumLength)"
    }
    guard NameBytes.with(name, { $0.isWellFormed }) else {
      return "the name has a control character: leave it out"
    }
    return nil
  }

  /// The fault of `key` as a name, or nil.
  static func complaint(key: DocumentNode) -> String? {
    guard let name = key.text else {
      return "this key is \(key.words), LiteLLM would compare it with texts and never match: "
        + "quote it"
    }
    return complaint(name)
  }
}
