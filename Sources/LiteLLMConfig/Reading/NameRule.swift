import BudgetModel
import Documents

/// What every name that can have a budget has to be.
enum NameRule {
  /// What is wrong with `name`, or nil.
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

  /// What is wrong with `key` as a name, or nil.
  static func complaint(key: DocumentNode) -> String? {
    guard let name = key.text else {
      return "this key is \(key.words), LiteLLM would compare it with texts and never match: "
        + "quote it"
    }
    return complaint(name)
  }
}
