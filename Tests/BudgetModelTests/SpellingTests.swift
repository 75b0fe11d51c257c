import BudgetModel
import Testing

@Suite struct SpellingTests {
  @Test(
    arguments: [
      ("budget_limt", "budget_limit"), ("Budget-Limit", "budget_limit"),
      ("max_bugdet", "max_budget"),
      ("maxbudget", "max_budget"), ("time_perod", "time_period"), ("model", nil), ("rpm", nil),
      ("timeout", nil), ("api_base", nil), ("", nil),
    ] as [(String, String?)])
  func nearWordsAreFound(word: String, meant: String?) {
    let keys = ["budget_limit", "max_budget", "time_period", "budget_duration"]
    #expect(Spelling.nearest(to: word, among: keys) == meant)
  }
}
