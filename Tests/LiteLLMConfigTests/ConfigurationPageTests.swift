import BudgetModel
import Documents
import Foundation
import Testing
import TimeZones

@testable import LiteLLMConfig

/// The page for people who write configurations: each of its files is read.
@Suite struct ConfigurationPageTests {
  /// The budgets that each file of the page gives, in the page's order.
  private static let expected: [[String]] = [
    [
      "provider openai per 1d, rolling: 90 enforce LiteLLM",
      "provider openai per month, month from 1 in UTC: 2000 enforce",
      "provider openai per hour, hour from 1 in UTC: 40 enforce",
    ],
    [
      "total per month, month from 1 in Europe/Berlin: 5000 enforce",
      "total per day, day from 1 in America/New_York: 400 enforce",
    ],
    ["total per month, month from 1 in Europe/Berlin: 500 enforce"],
    [
      "tag user:ann per day, day from 1 in UTC: 50 enforce",
      "tag user:* per day, day from 1 in UTC: 5 enforce each",
    ],
    [
      "tag team:ml per month, month from 15 in UTC: 100 enforce",
      "tag team:ml per week, week from 7 in UTC: 30 enforce",
      "tag team:ml per year, year from 1 in UTC: 1000 enforce",
    ],
    [
      "model gpt-4o per week, week from 1 in UTC: 300 enforce",
      "model anthropic/* per week, week from 1 in UTC: 100 enforce each",
    ],
    [
      "pool frontier per week, week from 1 in UTC: 500 enforce",
      "pool frontier per month, month from 1 in UTC: 1500 enforce",
      "pool gpus per day, day from 1 in UTC: 20 enforce",
    ],
    [
      "provider groq per day, day from 1 in UTC: 25 shadow",
      "tag feature:* per month, month from 1 in UTC: - enforce each",
    ],
    ["provider deepseek per month, month from 1 in UTC: 100 freeze"],
    [
      "deployment chat-openai per 36h, rolling: 9 enforce",
      "total per day, day from 1 in UTC: 10 enforce",
    ],
  ]

  private func files() throws -> [LiteLLMConfig] {
    let page = TestFiles.folder.appending(path: "../../deploy/configuration.md")
    let text = try String(contentsOf: page, encoding: .utf8)
    let loader = LiteLLMConfigLoader(
      environment: [:],
      zones: { name throws(ZoneError) in ZoneTable(name: name, firstOffset: 0, transitions: []) })
    return try text.components(separatedBy: "```yaml\n").dropFirst().map { part in
      let yaml = try #require(part.components(separatedBy: "```").first)
      return try loader.load(yaml: yaml, file: "c.yaml")
    }
  }

  @Test func eachFileOfThePageIsRead() throws {
    let files = try files()
    #expect(files.map(OwnFiles.lines) == Self.expected)
    #expect(files.flatMap(\.warnings).isEmpty)
  }

  @Test func thePageSaysWhatIsSo() throws {
    let files = try files()
    #expect(files[3].budgets.dynamicBudgetsFull == .deny)
    #expect(files[9].budgets.deployments.map(\.isFree) == [false, true])
    #expect(ConfiguredModels(files[5].budgets).meaning(of: "gpt-4") == .group("gpt-4o"))
    let page = try String(
      contentsOf: TestFiles.folder.appending(path: "../../deploy/configuration.md"), encoding: .utf8
    )
    let bounds =
      "At most \(BudgetDefinition.maximumWindowsPerName) windows a name, \(PoolMembers.maximumCount) pools "
      + "with 10,000 members of each kind, and 1,000 patterns."
    #expect(page.contains(bounds))
    #expect(OwnBudgetReader.maximumMembers == 10_000 && BudgetPattern.maximumCount == 1_000)
  }
}
