import BudgetModel
import SeededRandom
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

  @Test func bothWaysAlwaysAgree() {
    var numbers = BudgetNumbers([1: key("a"), 2: key("b"), 700: key("z")])
    func names() -> [Int64: BudgetKey] {
      let all = (Int64(0)..<1_024).compactMap { number in
        numbers.key(of: number).map { (number, $0) }
      }
      for (number, key) in all {
        #expect(numbers[key] == number && numbers.isKey(key, of: number))
        #expect(!numbers.isKey(self.key("another"), of: number))
      }
      return Dictionary(uniqueKeysWithValues: all)
    }
    #expect(names() == [1: key("a"), 2: key("b"), 700: key("z")])
    _ = numbers.number(of: key("c"))
    numbers.rename(key("a"), to: key("d"))
    #expect(names() == [1: key("d"), 2: key("b"), 700: key("z"), 701: key("c")])
    numbers.rename(key("d"), to: key("b"))
    #expect(names() == [2: key("b"), 700: key("z"), 701: key("c")])
    #expect(numbers[key("d")] == nil && numbers.key(of: 1) == nil)
    numbers.remove(key("b"))
    numbers.rename(key("nobody"), to: key("x"))
    #expect(names() == [700: key("z"), 701: key("c")])
    #expect(numbers[key("x")] == nil && numbers.key(of: -1) == nil)
    let again = numbers.number(of: key("b"))
    #expect(again == 702, "a number is not used again")
  }

  /// Names come and go; each is found as long as it is there, and none after that.
  @Test func veryManyNamesComeAndGo() {
    var numbers = BudgetNumbers()
    var random = SeededRandom(seed: 7)
    var known: [Int: Int64] = [:]
    for _ in 0..<20_000 {
      let name = random.below(3_000)
      if random.chance(0.45) {
        numbers.remove(key("n\(name)"))
        known[name] = nil
      } else {
        let number = numbers.number(of: key("n\(name)"))
        #expect(known[name] == nil || known[name] == number)
        known[name] = number
      }
    }
    for name in 0..<3_000 {
      #expect(numbers[key("n\(name)")] == known[name])
      if let number = known[name] { #expect(numbers.key(of: number) == key("n\(name)")) }
    }
  }
}
