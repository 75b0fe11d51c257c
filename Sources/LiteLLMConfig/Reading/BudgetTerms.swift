import BudgetModel
import Documents

/// The terms of one budget: how much, over which window.
struct BudgetTerms: Hashable {
  /// Nil: unlimited.
  var limit: PicoUSD?
  var windowText: String
  var windowLength: WindowLength

  /// The limit that `node` names; nil is unlimited. Adds a problem and throws if it is not a limit.
  static func limit(
    _ node: DocumentNode, path: @autoclosure () -> String, log: inout ProblemLog
  ) throws(Refused) -> PicoUSD? {
    let number: Double
    switch node.value {
    case .null: return nil
    case .integer, .float: number = node.number ?? .infinity
    case .string(let text):
      guard let read = PythonNumber.float(text) else { fallthrough }
      number = read
    default:
      log.add(
        node, path(),
        "the limit is \(node.words): write dollars as a number, such as 12.5, or null for "
          + "unlimited")
      throw Refused()
    }
    do throws(MoneyError) {
      return try PicoUSD(dollars: number, atMost: .maximumLimit)
    } catch {
      let bound = PicoUSD.maximumLimit.exactText
      let message =
        switch error {
        case .negative where number.isFinite:
          "the limit is negative, \(node.words): write 0 (nothing may be spent) or more"
        case .tooLarge where number.isFinite:
          "the limit is \(node.words), more than the highest one, \(bound) $: write less, or null "
            + "for unlimited"
        default:
          "the limit is \(node.words), not a finite number: write dollars from 0 to \(bound), or "
            + "null for unlimited"
        }
      log.add(node, path(), message)
      throw Refused()
    }
  }

  /// The window that `node` names; nil: none. Adds a problem and throws if it is not a window.
  static func window(
    _ node: DocumentNode, path: @autoclosure () -> String, log: inout ProblemLog
  ) throws(Refused) -> (text: String, length: WindowLength)? {
    let message: String
    switch node.value {
    case .null: return nil
    case .string(let text):
      if text.utf8.count > NameBytes.maximumLength {
        message = "the window's text has \(text.utf8.count) bytes: write a short one, such as 30d"
      } else if !NameBytes.with(text, { $0.isWellFormed }) {
        message = "the window's text has a control character: leave it out"
      } else {
        do throws(WindowLengthError) {
          return (text, try WindowLength(text: text))
        } catch {
          message =
            CalendarUnit(rawValue: text) == nil
            ? error.description
            : "LiteLLM knows no \(text) of the calendar: write it in the section budgetd, or a length "
              + "here, such as 30d"
        }
      }
    case .integer(let digits):
      let hint = digits.count < 20 && !digits.hasPrefix("-") ? digits : "60"
      message = "the window is \(node.words), without a unit: did you mean '\(hint)s'?"
    default:
      message = "the window is \(node.words): write a text, such as 30d"
    }
    log.add(node, path(), message)
    throw Refused()
  }
}

/// A value was refused, and the log says why.
struct Refused: Error {}
