import BudgetModel
import Documents
import Foundation
import Testing

@testable import LiteLLMConfig

/// `alerts:` of the section `budgetd:`.
@Suite struct AlertSectionTests {
  private static let secret = "https://hooks.example.org/T0/B0/hush"

  private func load(_ alerts: String) throws(DocumentError) -> LiteLLMConfig {
    try LiteLLMConfigLoader(environment: ["ALERTS_URL": Self.secret, "PART": "85"])
      .load(yaml: "budgetd:\n  alerts: \(alerts)\n", file: "c.yaml")
  }

  private func settings(_ alerts: String) throws -> AlertSettings {
    try #require(try load(alerts).alerts)
  }

  private func problems(_ alerts: String) -> [String] {
    do throws(DocumentError) {
      _ = try load(alerts)
      return []
    } catch {
      return error.problems.map { problem in
        "\(problem.keyPath.replacing("budgetd.alerts", with: "")): \(problem.message)"
      }
    }
  }

  @Test func whatIsNotSaidIsAsThePageSays() throws {
    let settings = try settings("{webhook: {url: os.environ/ALERTS_URL}}")
    #expect(settings.name == "budgetd" && settings.rules == AlertRules())
    #expect(settings.rules.thresholds == [80, 95, 100])
    #expect(settings.rules.runsOutInMilliseconds == 7_200_000)
    let expected = AlertWebhook(.given(try WebhookURL(Self.secret), variable: "ALERTS_URL"))
    #expect(settings.webhook == expected && settings.webhook.form == .json)
    #expect(try load("{webhook: {url: os.environ/ALERTS_URL}}").warnings.isEmpty)
    #expect(try load("").alerts == nil)
  }

  @Test func everythingMayBeSaid() throws {
    let settings = try settings(
      "{name: prod, thresholds: [100, 85, 50], runs_out_in: 30m, dynamic_per_hour: os.environ/PART, "
        + "webhook: {url_file: /run/secrets/url, form: slack, timeout: 3s, ca_file: /etc/ca.pem}}")
    #expect(settings.name == "prod" && settings.rules.dynamicPerHour == 85)
    #expect(settings.rules.thresholds == [50, 85, 100])
    #expect(settings.rules.runsOutInMilliseconds == 1_800_000)
    #expect(settings.webhook.address == .file("/run/secrets/url"))
    #expect(settings.webhook.form == .slack && settings.webhook.timeoutMilliseconds == 3_000)
    #expect(settings.webhook.authorities == "/etc/ca.pem")
    let silent = try load("{thresholds: [], runs_out_in: null, webhook: {url_file: /x}}")
    #expect(silent.alerts?.rules.runsOutInMilliseconds == nil)
    #expect(silent.warnings.map(\.message).contains { $0.contains("nothing is ever told") })
  }

  @Test func badSectionsAreRefusedWithTheWayOut() {
    let webhook = "webhook: {url: os.environ/ALERTS_URL}"
    let range = "write a whole number of percent, 1 to 1000"
    let cases: [(String, [String])] = [
      ("{\(webhook), thresholds: [0]}", [".thresholds[0]: this is the number 0: \(range)"]),
      (
        "{\(webhook), thresholds: [80, 1001]}",
        [".thresholds[1]: this is the number 1001: \(range)"]
      ),
      ("{\(webhook), thresholds: [0.8]}", [".thresholds[0]: this is the number 0.8: \(range)"]),
      ("{\(webhook), thresholds: [abc]}", [".thresholds[0]: this is 'abc': \(range)"]),
      (
        "{\(webhook), thresholds: 80}",
        [
          ".thresholds: this is the number 80: write a list of at most 10 parts of a limit in percent, such "
            + "as [80, 95, 100]"
        ]
      ),
      (
        "{\(webhook), runs_out_in: 100d}",
        [
          ".runs_out_in: this is '100d': write a time from 1m to 90d, as a number and one of s, m, h, d"
        ]
      ),
      (
        "{\(webhook), runs_out_in: 1mo}",
        [
          ".runs_out_in: this is '1mo': write a time from 1m to 90d, as a number and one of s, m, h, d"
        ]
      ),
      (
        "{\(webhook), dynamic_per_hour: -1}",
        [
          ".dynamic_per_hour: this is the number -1: write how many alerts of budgets that names get from "
            + "patterns a node may send in an hour, 0 to 1000"
        ]
      ),
      (
        "{\(webhook), name: ''}",
        [
          ".name: this is '': write the fleet's name as a text of 1 to 64 bytes without control characters, "
            + "such as production"
        ]
      ),
      (
        "{webhook: {url: os.environ/ALERTS_URL, timeout: 31s}}",
        [
          ".webhook.timeout: this is '31s': write a time from 1s to 30s, as a number and one of s, m, h, "
            + "d"
        ]
      ),
      (
        "{webhook: {url: os.environ/ALERTS_URL, form: teams}}",
        [".webhook.form: this is 'teams': write json (an object) or slack (a text)"]
      ),
      (
        "{webhook: {url: os.environ/ALERTS_URL, url_file: /x}}",
        [".webhook.url: url_file stands beside it: keep one of them"]
      ),
      (
        "{webhook: {url: os.environ/NONE}}",
        [".webhook.url: the environment variable NONE is not set: set it, or write the value"]
      ),
      (
        "{webhook: {}}",
        [
          ".webhook: this has neither url nor url_file: write url: os.environ/NAME, or url_file: "
            + "/run/secrets/NAME"
        ]
      ),
      (
        "{thresholds: [80]}",
        [
          ": nothing says where alerts go: give it a webhook, such as {webhook: {url: os.environ/ALERTS_URL, "
            + "form: slack}}"
        ]
      ),
      (
        "{\(webhook), treshold: [80]}",
        [".treshold: unknown spelling 'treshold': did you mean thresholds?"]
      ),
      (
        "{webhook: {address: x}}",
        [
          ".webhook.address: unknown spelling 'address': did you mean url?",
          ".webhook: this has neither url nor url_file: write url: os.environ/NAME, or url_file: "
            + "/run/secrets/NAME",
        ]
      ),
    ]
    for (alerts, expected) in cases { #expect(problems(alerts) == expected, "\(alerts)") }
  }

  /// A file that has the address in the wrong place is refused, and the log may be anybody's to read.
  @Test func noMessageHasTheAddress() {
    for alerts in [
      Self.secret, "{webhook: \(Self.secret)}", "{webhook: {url_file: \(Self.secret)}}",
      "{webhook: {url: [\(Self.secret)]}}", "{webhook: {url: 'hush it'}}", "{webhook: {url: hush}}",
      "{webhook: {url: {a: \(Self.secret)}}}", "{webhook: {url: \(Self.secret), ca_file: hush}}",
      "{webhook: {url: 'ftp://hush'}}",
    ] {
      let found = problems(alerts)
      #expect(!found.isEmpty && found.allSatisfy { !$0.contains("hush") }, "\(alerts): \(found)")
    }
  }

  @Test func plainTextIsWarnedOf() throws {
    let config = try load("{webhook: {url: 'http://127.0.0.1:1/hush'}}")
    #expect(config.warnings.count == 1)
    #expect(config.warnings[0].message.contains("http://"))
    #expect(config.warnings[0].keyPath.hasSuffix(".url"))
    #expect(!config.warnings[0].message.contains("hush"))
  }

  @Test func theFileOfThePageIsRead() throws {
    let page = TestFiles.folder.appending(path: "../../deploy/alerts.md")
    let text = try String(contentsOf: page, encoding: .utf8)
    let part = try #require(text.components(separatedBy: "```yaml\n").dropFirst().first)
    let yaml = try #require(part.components(separatedBy: "```").first)
    let config = try LiteLLMConfigLoader(environment: ["SLACK_WEBHOOK_URL": Self.secret])
      .load(yaml: yaml, file: "c.yaml")
    #expect(config.alerts?.webhook.form == .slack && config.warnings.isEmpty)
  }
}
