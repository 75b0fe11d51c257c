import Logging
import Testing

@testable import budgetd

@Suite struct LineLogTests {
  @Test func levelsAreAsWideAsTheWidest() {
    #expect(LineLog.text(.info, "loaded", [:]) == "info    loaded")
    #expect(LineLog.text(.critical, "failed", [:]) == "critical failed")
  }

  @Test func fieldsComeInOrder() {
    #expect(LineLog.text(.error, "x", ["b": "2", "a": "1"]) == "error   x a=1 b=2")
  }
}
