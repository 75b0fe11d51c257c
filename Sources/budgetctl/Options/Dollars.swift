import ArgumentParser
import BudgetModel

/// US dollars on the command line, within what one request may name.
enum Dollars {
  /// Throws, naming the option, where `amount` is no such amount.
  static func check(_ amount: Double, option: String) throws {
    do throws(MoneyError) {
      _ = try PicoUSD(dollars: amount, atMost: .maximumRecord)
    } catch {
      let why =
        switch error {
        case .notANumber: "this is no number"
        case .negative: "an amount is not negative"
        case .tooLarge: "this is more than one request may name"
        }
      throw ValidationError("\(option) \(amount): \(why); give 0 to 9000000000 dollars")
    }
  }
}
