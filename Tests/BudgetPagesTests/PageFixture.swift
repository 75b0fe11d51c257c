import BudgetEngine
import BudgetModel
import HTTPPort
import NodeFixture

@testable import BudgetPages

/// Pages of a node without a server: everything that they show is said here.
struct PageFixture {
  let engine: BudgetEngine
  let time = ManualTimeSource(MemberFixture.start)
  var node = NodeReading(config: .init(path: "config.yaml", acceptedAt: MemberFixture.start))
  /// The change that a test makes to the sources of an idle node.
  var change: (inout PageSources) -> Void = { _ in }

  init(_ budgets: [BudgetDefinition], patterns: [BudgetPattern] = []) {
    engine = BudgetEngine(restoring: [], dynamicBudgets: 100)
    _ = engine.reload(
      BudgetConfiguration(
        budgets: budgets, patterns: patterns, deployments: [], directory: .empty),
      at: MemberFixture.start)
  }

  var sources: PageSources {
    let node = node
    var sources = PageSources(
      .init(version: "1.2.3", nodeID: "node-a", startedAt: MemberFixture.start), engine: engine,
      time: time, standing: { _ in node })
    change(&sources)
    return sources
  }

  /// A provider's budget is charged.
  func charge(_ provider: String, dollars: Int64) {
    var charged = ChargedSlots()
    charged.add(
      NameBytes.with(provider) {
        engine.catalog.candidate(CandidateNames(id: .absent, model: .absent, provider: $0))
      }, in: engine.catalog)
    engine.record(PicoUSD(dollars: dollars), to: charged, at: time.now())
  }

  /// The lines of `/metrics`.
  var metrics: [String] {
    let response = MetricsPage(sources, pages: PageCounts()).response()
    return String(decoding: response.body.bytes, as: UTF8.self).split(separator: "\n")
      .map(String.init)
  }

  /// `/status.json`.
  var status: [UInt8] {
    get throws {
      let sources = sources
      return try StatusJSONPage(sources)
        .response(to: StatusQuery(HTTPRequest(path: "/status.json"))).body.bytes
    }
  }

  static func budget(
    _ scope: BudgetScope, _ name: String, _ dollars: Int64?, _ window: String = "1d"
  ) throws -> BudgetDefinition {
    BudgetDefinition(
      key: BudgetKey(scope: scope, name: name, windowText: window),
      windowLength: try WindowLength(text: window), limit: dollars.map { PicoUSD(dollars: $0) })
  }
}
