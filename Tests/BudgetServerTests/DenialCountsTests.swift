import BudgetEngine
import BudgetModel
import BudgetWire
import Testing

@testable import BudgetServer

@Suite struct DenialCountsTests {
  private func slot(_ scope: BudgetScope, _ name: String, _ fixture: ServiceFixture) throws -> Int32
  {
    try #require(NameBytes.with(name) { fixture.engine.catalog.budget(scope, $0) }).slot
  }

  @Test func denialsAreCountedByBudgetOnEveryWay() throws {
    let fixture = try ServiceFixture(
      [
        ServiceFixture.budget(.provider, "p", 0), ServiceFixture.budget(.provider, "q", 5),
        ServiceFixture.budget(.deployment, "d", 0), ServiceFixture.budget(.tag, "t", 0),
      ],
      deployments: [ConfiguredDeployment(id: "d", modelName: "g", model: "m", provider: "q")])
    let question = FilterDeploymentsRequest(deployments: [
      Deployment(id: "a", provider: "p"), Deployment(id: "b", provider: "p"),
      Deployment(id: "d", provider: "q"), Deployment(id: "e", provider: "q"),
      Deployment(id: "f", provider: "p"),
    ])
    // The first takes the long way, the others are known.
    for _ in 0..<3 { _ = try fixture.call(.filterDeployments(question)) }
    var tagged = question
    tagged.tags = ["t"]
    _ = try fixture.call(.filterDeployments(tagged))
    let denials = fixture.requests.denials
    #expect(denials.count(try slot(.provider, "p", fixture)) == 12)
    #expect(denials.count(try slot(.provider, "q", fixture)) == 0)
    #expect(denials.count(try slot(.deployment, "d", fixture)) == 4)
    #expect(denials.count(try slot(.tag, "t", fixture)) == 1)
    #expect(fixture.requests.totals.denials == [12, 4, 1, 0, 0, 0])
  }

  @Test func writersAreSummedWhateverTheirSlots() {
    let requests = AllRequestCounts()
    var (one, two) = (
      DenialTally(requests.writer().budgetDenials), DenialTally(requests.writer().budgetDenials)
    )
    one.add(2, slot: 0)
    one.add(3, slot: 700)
    two.add(4, slot: 700)
    two.add(1, slot: 255)
    let reading = requests.denials
    #expect([0, 1, 255, 256, 700, 100_000].map { reading.count($0) } == [2, 0, 1, 0, 7, 0])
    one.add(1, slot: 1_000_000)
    #expect(requests.denials.count(1_000_000) == 1)
  }

  @Test func aSlotThatBelongsToAnotherBudgetCountsFromZero() {
    let requests = AllRequestCounts()
    var tally = DenialTally(requests.writer().budgetDenials)
    tally.add(5, slot: 3)
    tally.add(2, slot: 4)
    requests.forgetDenials(of: [3, 900])
    #expect([3, 4, 900].map { requests.denials.count($0) } == [0, 2, 0])
    tally.add(1, slot: 3)
    #expect(requests.denials.count(3) == 1)
    requests.forgetDenials(of: [3])
    #expect(requests.denials.count(3) == 0)
  }

  @Test func unusableNamesAreCountedByFieldAndReason() throws {
    let fixture = ServiceFixture([])
    let long = String(repeating: "x", count: 257)
    _ = try fixture.call(
      .filterDeployments(
        FilterDeploymentsRequest(
          deployments: [
            Deployment(id: long, model: "a\0b"), Deployment(id: "a", provider: "\n"),
          ], tags: ["\u{85}", long])))
    // Not UTF-8: only by hand. filter_deployments { tags: "\xff" }
    _ = try fixture.reply(to: [0x08, 1, 0x52, 3, 0x12, 1, 0xFF])
    let counters = fixture.counters
    let counts = NameField.allCases.map { field in
      NameFault.allCases.map { counters.unusableNames(field, $0) }
    }
    #expect(counts == [[0, 0, 1], [1, 0, 0], [0, 0, 1], [1, 1, 1]])
    #expect(counters.unusableNames == 6)
  }

  @Test func pingNamesTheMethodsOfTheBuild() throws {
    #expect(
      try ServiceFixture([]).call(.ping).pinged.methods == [
        "filter_deployments", "record_spend", "get_provider_budgets", "reserve_spend",
        "release_reservation", "set_budget", "backup_ledger", "clear_budget", "reset_budget",
        "list_changes", "authenticate", "ping", "extend_reservation", "get_spend_history",
        "explain_request", "reload_config",
      ])
    // Whatever it names is served: no more, and no less.
    for method in MethodName.allCases {
      let body: [UInt8] = [0x08, 1] + key(method) + [0]
      guard method != .backupLedger else { continue }
      let status = try ServiceFixture([]).reply(to: body).status
      #expect(status?.code != .unimplemented, "\(method)")
    }
  }

  private func key(_ method: MethodName) -> [UInt8] {
    let key = Int(method.rawValue) << 3 | 2
    return key < 0x80 ? [UInt8(key)] : [UInt8(key & 0x7F | 0x80), UInt8(key >> 7)]
  }
}
