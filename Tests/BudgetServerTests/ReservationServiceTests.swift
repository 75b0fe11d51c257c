import BudgetEngine
import BudgetModel
import BudgetWire
import NodeFixture
import SeededRandom
import TCPTransport
import Testing

@testable import Access
@testable import BudgetServer

/// Reservations as callers meet them, without a ledger.
@Suite struct ReservationServiceTests {
  private func fixture() throws -> ServiceFixture {
    try ServiceFixture(
      [
        ServiceFixture.budget(.provider, "openai", 10),
        ServiceFixture.budget(.provider, "azure", 5), ServiceFixture.budget(.tag, "t", 8),
      ])
  }

  private func choose(
    _ fixture: ServiceFixture, _ candidates: [Deployment], tags: [String] = [],
    _ reserve: ReserveOptions
  ) throws -> ResponseMessage {
    var request = FilterDeploymentsRequest(deployments: candidates, tags: tags)
    request.reserve = reserve
    return try fixture.call(.filterDeployments(request))
  }

  private func reserved(_ fixture: ServiceFixture, _ name: String = "openai") throws -> Double {
    let page = try fixture.call(.getProviderBudgets(GetProviderBudgetsRequest())).page
    return try #require(page.providers.first { $0.name == name }).reservedUSD
  }

  private static let openai = Deployment(id: "o", provider: "openai")
  private static let azure = Deployment(id: "a", provider: "azure")

  @Test func theSameMessageInEveryShapeHoldsTheSame() throws {
    var random = SeededRandom(seed: 7)
    let fused: [RequestBytes.Field] = [
      .message(1, [.text(1, "a"), .text(4, "azure"), .double(5, 6)]),
      .message(1, [.text(1, "o"), .text(4, "openai")]), .text(2, "t"), .integer(5, 1),
      .double(6, 2), .integer(7, 60_000),
    ]
    let single: [RequestBytes.Field] = [
      .text(1, "openai"), .text(4, "t"), .double(5, 2), .integer(6, 60_000),
    ]
    for (method, fields) in [(MethodName.filterDeployments, fused), (.reserveSpend, single)] {
      for form in [RequestBytes.Form.usual, .unusual] {
        let fixture = try fixture()
        var request = RequestBytes(callID: 9)
        (request.method, request.fields) = (method.rawValue, fields)
        // Known to the lane the second time and the third.
        for round in 1...3 {
          let reply = try fixture.reply(to: request.bytes(form, using: &random))
          let comment: Comment = "\(method) \(form) \(round)"
          #expect(reply.status == nil, comment)
          #expect(try reserved(fixture) == Double(2 * round), comment)
          #expect(try reserved(fixture, "azure") == 0, comment)
          if method == .filterDeployments {
            let answer = try reply.filtered
            #expect(answer.chosen == 1 && answer.allowed == [1], comment)
            // The tag holds what was reserved before: at last it has no room for 6 more either.
            #expect(
              answer.denials.map(\.name) == (round == 3 ? ["azure", "t"] : ["azure"]), comment)
          }
        }
        // Plain filters are no reservations, whatever came before.
        let plain = try fixture.call(
          .filterDeployments(FilterDeploymentsRequest(deployments: [Self.openai], tags: ["t"])))
        #expect(try plain.filtered.allowed == [0] && plain.filtered.chosen == nil)
        #expect(try reserved(fixture) == 6)
      }
    }
  }

  @Test func theFirstThatHasRoomIsHeldAndCounted() throws {
    let fixture = try fixture()
    var ids: [String] = []
    for expected in [1, 0, 0] {
      let reply = try choose(
        fixture, [Self.openai, Self.azure], ReserveOptions(amountUSD: expected == 1 ? 6 : 5))
      if expected == 1 {
        #expect(try reply.filtered.chosen == 0)
      } else if ids.count == 1 {
        #expect(try reply.filtered.chosen == 1 && reply.filtered.denials.map(\.position) == [0])
      } else {
        #expect(reply.status?.code == .resourceExhausted)
        #expect(
          reply.status?.message == "No deployments available - crossed budget: "
            + "Would exceed budget for provider openai: 6.0 + 5.0 > 10.0 ($6.0 reserved)\n"
            + "Exceeded budget for provider azure: 5.0 >= 5.0 ($5.0 reserved)\n")
        continue
      }
      ids.append(try #require(try reply.filtered.reservation).id)
    }
    let totals = fixture.requests.totals
    #expect(totals.denials[0] == 3)
    #expect(
      totals.answers[MethodName.filterDeployments.position][
        Int(StatusCode.resourceExhausted.rawValue)] == 1)
    for id in ids {
      #expect(try fixture.call(.releaseReservation(id: id)).result == .released(true))
    }
    #expect(try reserved(fixture) == 0 && reserved(fixture, "azure") == 0)
  }

  @Test func aDeniedReservationNamesEachBudget() throws {
    let fixture = try fixture()
    var request = ReserveSpendRequest(amountUSD: 9)
    (request.provider, request.tags) = ("azure", ["t", "t"])
    let reply = try fixture.call(.reserveSpend(request))
    guard case .reserveSpend(let denied)? = reply.result else {
      Issue.record("\(reply)")
      return
    }
    #expect(denied.isExhausted && denied.reservation == nil)
    #expect(denied.denials.map(\.name) == ["azure", "t"])
    #expect(denied.denials.allSatisfy { $0.position == 0 })
    #expect(
      denied.message == "Nothing reserved - crossed budget: "
        + "Would exceed budget for provider azure: 0.0 + 9.0 > 5.0\n"
        + "tag='t', tag_spend=0.0, estimated_cost=9.0, tag_budget_limit=8.0\n"
        || denied.message.contains("Would exceed budget for tag='t'"))
    #expect(try reserved(fixture, "azure") == 0)
  }

  @Test func aKeyIsOfItsMessageAndItsMethod() throws {
    let fixture = try fixture()
    let options = ReserveOptions(amountUSD: 1, idempotencyKey: "k")
    let first = try choose(fixture, [Self.openai], options).filtered
    #expect(try choose(fixture, [Self.openai], options).filtered == first)
    #expect(
      try choose(fixture, [Self.azure], options).status?.code == .alreadyExists)
    var request = ReserveSpendRequest(amountUSD: 1)
    (request.provider, request.idempotencyKey) = ("openai", "k")
    #expect(try fixture.call(.reserveSpend(request)).status?.code == .alreadyExists)
    #expect(try reserved(fixture) == 1)
  }

  /// The answer tells a position among the configured candidates: after a reload it may be another's.
  @Test func aRetryIsNotToldOfAnotherCandidate() throws {
    let budgets = [
      try ServiceFixture.budget(.provider, "openai", 10),
      try ServiceFixture.budget(.provider, "azure", 0),
    ]
    let listed = ["openai", "azure"].map { (name: String) in
      ConfiguredDeployment(id: "\(name)-1", modelName: "m", model: "\(name)/x", provider: name)
    }
    let fixture = ServiceFixture(budgets, deployments: listed)
    func ask() throws -> ResponseMessage {
      var request = FilterDeploymentsRequest(deployments: [], tags: [])
      request.modelName = "m"
      request.reserve = ReserveOptions(amountUSD: 1, idempotencyKey: "k")
      return try fixture.call(.filterDeployments(request))
    }
    func reload(_ deployments: [ConfiguredDeployment]) {
      _ = fixture.engine.reload(
        BudgetConfiguration(budgets: budgets, deployments: deployments, directory: .empty),
        at: ServiceFixture.start)
    }
    let first = try ask().filtered
    #expect(first.chosen == 0)
    func isSame(_ again: FilterDeploymentsResponse) -> Bool {
      again.chosen == first.chosen && again.reservation?.id == first.reservation?.id
    }
    reload(listed)
    #expect(try isSame(ask().filtered))
    reload(listed.reversed())
    let refused = try ask()
    #expect(refused.status?.code == .aborted)
    #expect(refused.status?.message.contains("ask again with another key") == true)
    reload(listed)
    #expect(try isSame(ask().filtered))
  }

  /// A cushion for costs above the amount belongs to what is asked for, not to what is reserved.
  @Test func aDenialTellsWhatWasReservedBefore() throws {
    let fixture = try fixture()
    var request = ReserveSpendRequest(amountUSD: 4)
    request.tags = ["t"]
    _ = try fixture.call(.reserveSpend(request))
    // A cost that is hardly known: twice the mean, cut with its cushion to what the provider has.
    (request.amountUSD, request.provider) = (0, "azure")
    let engine = fixture.engine
    NameBytes.with("azure") { name in
      let names = CandidateNames(id: .absent, model: .absent, provider: name)
      engine.estimates.learn(PicoUSD(dollars: 2), of: CostKind(of: names, in: engine.catalog))
    }
    guard case .reserveSpend(let denied)? = try fixture.call(.reserveSpend(request)).result else {
      Issue.record("denied, or not")
      return
    }
    let denial = try #require(denied.denials.first { $0.name == "t" })
    #expect(denial.reservedUSD == 4 && denial.spendUSD == 4)
    #expect(denied.message.contains("tag_spend=4.0, estimated_cost=4.99"), "\(denied.message)")
    #expect(denied.message.contains("($4.0 reserved)"), "\(denied.message)")
  }

  @Test(arguments: [Role.check, .read, .spend, .admin])
  func onlyWhoMaySpendMayReserve(_ role: Role) throws {
    let clients = Role.allCases.map {
      "  - {name: client-\($0), role: \($0), users: [\(1000 + Int($0.rawValue))]}"
    }
    let table = try AccessFile.table(
      yaml: Array(("clients:\n" + clients.joined(separator: "\n")).utf8), file: "access.yaml")
    let user = Peer.User(userID: 1000 + UInt32(role.rawValue), groupID: 1, processID: 9)
    let fixture = ServiceFixture(access: table, peer: Peer(address: "10.1.2.3", user: user))
    let reply = try choose(fixture, [Self.openai], ReserveOptions(amountUSD: 1))
    #expect((reply.status?.code == .permissionDenied) == (role < .spend))
    if role < .spend {
      #expect(reply.status?.message.contains("with reserve needs spend") == true)
    }
  }

  @Test func aNameGetsItsBudgetFromAPatternWhenItReserves() throws {
    let engine = BudgetEngine(restoring: [], dynamicBudgets: 10)
    _ = engine.reload(
      BudgetConfiguration(
        budgets: [],
        patterns: [
          BudgetPattern(
            key: BudgetKey(scope: .tag, name: "user:*", windowText: "1d"),
            rule: try WindowRule(text: "1d"), policy: BudgetPolicy(limit: PicoUSD(dollars: 3)))
        ], deployments: [], directory: .empty), at: ServiceFixture.start)
    let fixture = ServiceFixture(engine: engine, time: ManualTimeSource(ServiceFixture.start))
    for (user, fits) in [("user:a", true), ("user:a", false), ("user:b", true)] {
      let reply = try choose(
        fixture, [Self.openai], tags: [user], ReserveOptions(amountUSD: 2))
      #expect((reply.status == nil) == fits, "\(user)")
    }
    #expect(engine.dynamicBudgetCount == 2)
  }

  @Test func strayFieldsAreNamed() throws {
    let fixture = try fixture()
    var random = SeededRandom(seed: 8)
    for (field, name) in [
      (RequestBytes.Field.double(6, 1), "reserve_usd"), (.integer(7, 1), "reserve_ttl_ms"),
      (.text(8, "k"), "idempotency_key"),
    ] {
      for form in [RequestBytes.Form.usual, .unusual] {
        var request = RequestBytes(callID: 9)
        request.method = MethodName.filterDeployments.rawValue
        request.fields = [.message(1, [.text(4, "openai")]), field]
        let reply = try fixture.reply(to: request.bytes(form, using: &random))
        #expect(reply.status?.code == .invalidArgument)
        #expect(reply.status?.message.hasPrefix("\(name) without reserve") == true)
      }
    }
  }
}
