import BudgetModel
import Foundation
import JSONWriting
import NodeFixture
import Testing

@testable import BudgetEngine
@testable import BudgetPages

@Suite struct StatusOutlookTests {
  private static let now = MemberFixture.start

  private func at(_ seconds: Int64) -> Timestamp {
    Timestamp(unixMilliseconds: Self.now.unixMilliseconds + seconds * 1_000)
  }

  /// Its window ends in an hour.
  private func report(
    _ scope: BudgetScope, _ name: String, limit: Int64?, spend: Int64
  ) -> BudgetReport {
    BudgetReport(
      key: BudgetKey(scope: scope, name: name, windowText: "1h"),
      limit: limit.map { PicoUSD(dollars: $0) }, spend: PicoUSD(dollars: spend), ownSpend: .zero,
      resetsAt: at(3_600), charged: .zero)
  }

  private func outlook(
    _ reports: [BudgetReport], rates: [String: Double?], otherwise: Double? = 0
  ) -> StatusOutlook {
    StatusOutlook(reports) { index in
      Forecasts(reports[index], at: Self.now) { span in
        guard span == .quarterHour else { return nil }
        return (rates[reports[index].key.name] ?? otherwise)
          .map { .init(dollarsPerSecond: $0, seconds: 900) }
      }
    }
  }

  private func json(_ outlook: StatusOutlook) throws -> [String: Any] {
    var text = JSONText()
    text.object { outlook.append(to: &$0) }
    return try #require(
      try JSONSerialization.jsonObject(with: Data(text.bytes)) as? [String: Any])
  }

  @Test func everyBudgetCountsHoweverMany() throws {
    let crowd = (0..<2_000).map { report(.tag, "t\($0)", limit: 10, spend: 8) }
    let reports =
      crowd + [
        report(.tag, "last", limit: 100, spend: 0), report(.tag, "below", limit: 100, spend: 79),
        report(.provider, "out", limit: 10, spend: 10),
        report(.provider, "free", limit: nil, spend: 9),
        report(.deployment, "zero", limit: 0, spend: 0),
        report(.deployment, "spent", limit: 0, spend: 1),
      ]
    let outlook = outlook(reports, rates: ["last": 1, "t7": 0.01, "out": 5, "free": 5])
    var counts = try #require(try json(outlook)["counts"] as? [String: [String: Int]])
    for scope in ["model", "pool", "total"] {
      #expect(counts.removeValue(forKey: scope)?.values.allSatisfy { $0 == 0 } == true)
    }
    #expect(
      counts == [
        "provider": [
          "budgets": 2, "exhausted": 1, "near": 0, "running_out": 0, "rate_unknown": 0,
          "closed": 0, "frozen": 0, "frozen_names": 0,
        ],
        "deployment": [
          "budgets": 2, "exhausted": 1, "closed": 1, "near": 0, "running_out": 0, "rate_unknown": 0,
          "frozen": 0, "frozen_names": 0,
        ],
        "tag": [
          "budgets": 2_002, "exhausted": 0, "closed": 0, "near": 2_000, "running_out": 2,
          "rate_unknown": 0, "frozen": 0, "frozen_names": 0,
        ],
      ])
    let next = try #require(try json(outlook)["next_to_run_out"] as? [String: Any])
    #expect(next["scope"] as? String == "tag")
    #expect(next["name"] as? String == "last")
    #expect(next["window"] as? String == "1h")
    #expect(next["exhausts_at"] as? String == at(100).iso8601)
    #expect(next["exhausts_at_unix_ms"] as? Int64 == at(100).unixMilliseconds)
  }

  @Test func whatLastsUntilItsResetIsNotNext() throws {
    let reports = [
      report(.tag, "lasts", limit: 3_601, spend: 0), report(.tag, "still", limit: 10, spend: 5),
    ]
    let lasting = outlook(reports, rates: ["lasts": 1])
    #expect(lasting.next == nil)
    #expect(try json(lasting)["next_to_run_out"] is NSNull)
    #expect(lasting.counts.map(\.runningOut) == [0, 0, 0, 0, 0, 0])
    // A rate of nothing is known: it is not the same as none.
    #expect(lasting.counts.map(\.rateUnknown) == [0, 0, 0, 0, 0, 0])
    #expect(outlook(reports, rates: ["lasts": 1.001]).next?.key.name == "lasts")
  }

  @Test func whereRatesAreUnknownItIsCounted() {
    let reports = [
      report(.provider, "out", limit: 10, spend: 10),
      report(.provider, "free", limit: nil, spend: 9),
      report(.provider, "near", limit: 10, spend: 9), report(.tag, "idle", limit: 10, spend: 0),
    ]
    let unknown = outlook(reports, rates: [:], otherwise: nil)
    #expect(unknown.next == nil)
    #expect(unknown.counts.map(\.rateUnknown) == [1, 0, 1, 0, 0, 0])
    #expect(unknown.counts.map(\.near) == [1, 0, 0, 0, 0, 0])
    #expect(outlook(reports, rates: ["idle": nil]).counts.map(\.rateUnknown) == [0, 0, 1, 0, 0, 0])
  }

  @Test func whatIsNotSteadySaysNothingOfWhatComes() {
    let reports = [report(.tag, "burst", limit: 1_000, spend: 900)]
    let outlook = StatusOutlook(reports) { index in
      Forecasts(reports[index], at: Self.now) { _ in
        .init(dollarsPerSecond: 50, seconds: 900, isSteady: false)
      }
    }
    #expect(outlook.next == nil)
    #expect(outlook.counts.map(\.runningOut) == [0, 0, 0, 0, 0, 0])
    #expect(outlook.counts.map(\.rateUnknown) == [0, 0, 1, 0, 0, 0])
  }

  @Test func amongEqualsTheOneConfiguredFirstIsNext() {
    let reports = ["a", "b"].map { report(.tag, $0, limit: 10, spend: 0) }
    #expect(outlook(reports, rates: [:], otherwise: 1).next?.key.name == "a")
  }
}
