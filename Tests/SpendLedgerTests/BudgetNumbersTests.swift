import BudgetModel
import Testing

@testable import SpendLedger

@Suite struct BudgetNumbersTests {
  private func key(_ name: String) -> BudgetKey {
    BudgetKey(scope: .tag, name: name, windowText: "1d")
  }

  @Test func numbersGoOnAfterTheDatabases() {
    var numbers = BudgetNumbers([3: key("a"), 7: key("b")])
    #expect(numbers[key("a")] == 3 && numbers[key("c")] == nil)
    let known = numbers.number(of: key("b"))
    #expect(known == 7 && numbers.unwritten.isEmpty)
    let new = [numbers.number(of: key("c")), numbers.number(of: key("c"))]
    #expect(new == [8, 8])
    #expect(numbers.unwritten.map(\.number) == [8] && numbers.isUnwritten(8))
    numbers.written()
    #expect(numbers.unwritten.isEmpty && numbers[key("c")] == 8)
  }

  /// Made once and kept true: with very many budgets making it takes its time.
  @Test func bothWaysAlwaysAgree() {
    var numbers = BudgetNumbers([1: key("a"), 2: key("b")])
    var names = numbers.byNumber()
    #expect(names == [1: key("a"), 2: key("b")])
    _ = numbers.number(of: key("c"))
    numbers.rename(key("a"), to: key("d"))
    names = numbers.byNumber()
    #expect(names == [1: key("d"), 2: key("b"), 3: key("c")])
    numbers.rename(key("d"), to: key("b"))
    names = numbers.byNumber()
    #expect(names == [2: key("b"), 3: key("c")])
    #expect(numbers[key("d")] == nil && numbers[key("b")] == 2)
    numbers.remove(key("b"))
    numbers.rename(key("nobody"), to: key("x"))
    names = numbers.byNumber()
    #expect(names == [3: key("c")] && numbers[key("x")] == nil)
    let again = numbers.number(of: key("b"))
    #expect(again == 4, "a number is not used again")
  }
}
