import BudgetEngine
import BudgetModel
import BudgetWire
import NodeFixture
import Testing

@testable import BudgetServer

@Suite struct PageTests {
  private func fixture() throws -> ServiceFixture {
    let tags = try (0..<1_500).map { try ServiceFixture.budget(.tag, "t\($0)", 1) }
    let providers = try (0..<1_200).map { try ServiceFixture.budget(.provider, "p\($0)", 1) }
    return ServiceFixture(providers + tags)
  }

  @Test func pagesTogetherHoldEveryBudgetOnce() throws {
    let fixture = try fixture()
    for size in [0, 1_000, 999, 5_000, 300] as [UInt32] {
      var ask = GetProviderBudgetsRequest()
      ask.includesTags = true
      ask.pageSize = size
      var providers: [String] = []
      var tags: [String] = []
      var pages = 0
      repeat {
        let page = try fixture.call(.getProviderBudgets(ask)).page
        #expect(page.providers.count + page.tags.count <= 1_000)
        providers += page.providers.map(\.name)
        tags += page.tags.map(\.name)
        ask.pageToken = page.nextPageToken
        pages += 1
      } while !ask.pageToken.isEmpty && pages < 100
      #expect(providers == (0..<1_200).map { "p\($0)" })
      #expect(tags == (0..<1_500).map { "t\($0)" })
    }
  }

  @Test func namesChooseAndUnknownOnesAreLeftOut() throws {
    let fixture = try fixture()
    var ask = GetProviderBudgetsRequest()
    ask.providers = ["p7", "nobody", "p3", "p7"]
    ask.tags = ["t1499"]
    let page = try fixture.call(.getProviderBudgets(ask)).page
    #expect(page.providers.map(\.name) == ["p7", "p3"])
    #expect(page.tags.map(\.name) == ["t1499"])
    #expect(page.deployments.isEmpty && page.nextPageToken.isEmpty)
  }

  @Test func theLastFullPageIsTheLast() throws {
    let fixture = ServiceFixture(
      try (0..<10).map { try ServiceFixture.budget(.provider, "p\($0)", 1) })
    var ask = GetProviderBudgetsRequest()
    ask.pageSize = 10
    #expect(try fixture.call(.getProviderBudgets(ask)).page.nextPageToken.isEmpty)
  }

  @Test func tokensOfOthersAndOfEarlierConfigsAreRefused() throws {
    let fixture = try fixture()
    var ask = GetProviderBudgetsRequest()
    let own = try fixture.call(.getProviderBudgets(GetProviderBudgetsRequest())).page.nextPageToken
    let process = try #require(own.split(separator: ".").first)
    for token in [
      "x", "1", "1.", "1.1.1", "\(process).1", "\(process).1.-5", "\(process).1.0",
      "\(process).99.10", "\(process).1.9999999999999999999", "\(process).1.1.1",
    ] {
      ask.pageToken = token
      #expect(
        try fixture.call(.getProviderBudgets(ask)).status?.code == .invalidArgument, "\(token)")
    }
    #expect(
      try fixture.call(.getProviderBudgets(ask)).status?.message
        == "page_token is not from this server: give next_page_token as it came")
    ask.pageToken = try fixture.call(.getProviderBudgets(GetProviderBudgetsRequest())).page
      .nextPageToken
    #expect(!ask.pageToken.isEmpty)
    _ = fixture.engine.reload(
      BudgetConfiguration(budgets: [], deployments: [], directory: .empty), at: fixture.time.now())
    #expect(
      try fixture.call(.getProviderBudgets(ask)).status?.message
        == "page_token is from before a reload of the config: start again without")
  }

  @Test func anUnlimitedBudgetShowsNoLimitAndNothingRemaining() throws {
    let fixture = try ServiceFixture([ServiceFixture.budget(.tag, "t", nil, "7d")])
    var ask = GetProviderBudgetsRequest()
    ask.includesTags = true
    let budget = try #require(try fixture.call(.getProviderBudgets(ask)).page.tags.first)
    #expect(budget.limitUSD == nil && budget.remainingUSD == nil && !budget.isExhausted)
    #expect(budget.resetsAtUnixMilliseconds == nil && budget.timePeriod == "7d")
  }
}
