import BudgetModel
import Documents
import Foundation
import Testing

@testable import LiteLLMConfig

@Suite struct WindowVectorTests {
  /// Every window text of the list, as a provider's `time_period`.
  @Test func windowsAreThoseOfLiteLLM() throws {
    let loader = LiteLLMConfigLoader(environment: [:])
    let lines = try TestFiles.lines("durations.jsonl")
    for line in lines {
      let text = try #require(line["duration"]?.text)
      let entry = DocumentNode(
        .mapping(
          DocumentMapping([
            .init(key: DocumentNode(.string("time_period")), value: DocumentNode(.string(text)))
          ])))
      let document = Self.mapping("provider_budget_config", Self.mapping("openai", entry))
      let budget = try? loader.load(document: document, file: "t").budgets.budgets.first
      let isRefused =
        line["error"]?.isNull == false || line["deviation"]?.text?.hasPrefix("lenient") == false
      #expect((budget == nil) == isRefused, "\(text)")
      guard let budget else { continue }
      #expect(budget.key.windowText == text)
      // Months depend on when they start.
      let from = try Date(line["computed_at"]?.text ?? "2026-01-15T00:00:00Z", strategy: .iso8601)
      let start = Timestamp(unixMilliseconds: Int64(from.timeIntervalSince1970 * 1_000))
      let end = try #require(budget.rule.rollingLength).end(ofWindowFrom: start)
      guard end < .latest else { continue }
      let seconds = (end.unixMilliseconds - start.unixMilliseconds) / 1_000
      #expect(Double(seconds) == line["seconds"]?.number, "\(text)")
    }
    #expect(lines.count == 204)
  }

  private static func mapping(_ key: String, _ value: DocumentNode) -> DocumentNode {
    DocumentNode(.mapping(DocumentMapping([.init(key: DocumentNode(.string(key)), value: value)])))
  }
}
