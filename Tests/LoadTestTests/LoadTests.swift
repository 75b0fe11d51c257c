import BudgetModel
import BudgetWire
import Sockets
import Testing
import WholeRequests

@testable import LoadTest
@testable import TCPTransport

@Suite struct LoadTests {
  @Test func percentilesLieInTheirBuckets() {
    var histogram = LatencyHistogram()
    #expect(histogram.percentile(0.5) == .zero)
    for value in 1...100_000 { histogram.add(nanoseconds: Int64(value)) }
    for (part, exact) in [(0.5, 50_000.0), (0.9, 90_000), (0.99, 99_000), (0.999, 99_900)] {
      let seen = histogram.percentile(part) / .nanoseconds(1)
      #expect(seen >= exact && seen <= exact * 1.017, "\(part): \(seen)")
    }
    #expect(histogram.percentile(1) == .nanoseconds(100_000))
    #expect(histogram.longest == .nanoseconds(100_000))
    #expect(histogram.count == 100_000)
    histogram.add(nanoseconds: 0)
    histogram.add(nanoseconds: .max)
    #expect(histogram.percentile(1) == Duration.nanoseconds(Int64.max))
  }

  @Test func framesTakeTheirCallIDAndKey() throws {
    var plan = LoadPlan()
    plan.work = .mixed
    plan.names.tags = ["a", "b", "c"]
    let frames = try LoadFrames(plan)
    var decoder = RequestDecoder()
    var keys: Set<String> = []
    for (index, callID) in [16_384, 16_385, 20_479, 2_097_151].enumerated() {
      var bytes: [UInt8] = [1, 2, 3]
      frames.append(index, callID: UInt64(callID), fresh: UInt64(index) << 60 | 0xABC, to: &bytes)
      let frame = Array(bytes[3...])
      #expect(FrameHeader.messageLength(in: frame.span) == frame.count - 4)
      let body = Array(frame[4...])
      let seen = try decoder.withRequest(frame: body.span) { request -> (UInt64, String?, Int) in
        switch request.method {
        case .filterDeployments(let filter): (request.callID, nil, filter.deploymentCount)
        case .recordSpend(let record): (request.callID, record.idempotencyKey.text, record.tagCount)
        default: (0, nil, 0)
        }
      }
      #expect(seen.0 == UInt64(callID))
      #expect(seen.2 == (index % 2 == 0 ? 8 : 2))
      if let key = seen.1 { keys.insert(key) }
    }
    #expect(keys == ["1000000000000abc", "3000000000000abc"])
  }

  @Test(arguments: LoadPlan.Work.allCases, [false, true])
  func freshTagsAreAnotherInEachFrame(_ work: LoadPlan.Work, hasModels: Bool) throws {
    var plan = LoadPlan()
    plan.work = work
    plan.depth = 700
    plan.connections = 2
    // A name that looks like the tag's digits is left as it is.
    plan.names.tags = ["user:0000000000000000", "b"]
    plan.names.models = hasModels ? ["user:ffffffffffffffff"] : []
    #expect(try tags(plan).allSatisfy { $0.count == 2 })
    plan.hasFreshTags = true
    let seen = try tags(plan)
    #expect(seen.count == 1_400)
    #expect(Set(seen.map(\.last)).count == 1_400, "no fresh tag comes twice")
    for tags in seen {
      #expect(tags.count == 3 && Set(tags.dropLast()) == Set(plan.names.tags))
      let digits = tags[2].dropFirst("user:".count)
      #expect(tags[2].hasPrefix("user:") && digits.count == 16 && digits.allSatisfy(\.isHexDigit))
    }
  }

  /// The tags of each request that a driver sends at first.
  private func tags(_ plan: LoadPlan) throws -> [[String]] {
    var driver = LoadDriver(
      plan, try LoadFrames(plan), startingAt: MonotonicInstant(nanoseconds: 0))
    var decoder = RequestDecoder()
    var seen: [[String]] = []
    for connection in 0..<plan.connections {
      var sent: [UInt8] = []
      driver.fill(
        connection: connection, output: &sent, at: MonotonicInstant(nanoseconds: 0))
      var rest = sent[...]
      while !rest.isEmpty {
        let header = Array(rest.prefix(FrameHeader.byteCount))
        let told = FrameHeader.messageLength(in: header.span)
        let length = try #require(told)
        let body = Array(rest.dropFirst(header.count).prefix(length))
        rest = rest.dropFirst(header.count + length)
        seen.append(
          try decoder.withRequest(frame: body.span) { request in
            switch request.method {
            case .filterDeployments(let filter):
              (0..<filter.tagCount).map { filter.tag(at: $0).text }
            case .recordSpend(let record):
              (0..<record.tagCount).map { record.tag(at: $0).text }
            default: []
            }
          })
      }
    }
    return seen
  }

  @Test func denyingNamesAreThoseOfExhaustedBudgets() {
    func budget(_ name: String, _ isExhausted: Bool) -> Budget {
      var budget = Budget(name: name, timePeriod: "1d")
      budget.isExhausted = isExhausted
      return budget
    }
    var budgets = GetProviderBudgetsResponse()
    budgets.providers = [budget("p1", false), budget("p2", false)]
    budgets.deployments = [budget("d1", false), budget("d2", false)]
    budgets.tags = [budget("t1", false), budget("t2", false)]
    #expect(LoadNames(denying: budgets) == nil)
    var names = LoadNames(budgets)
    budgets.tags[1].isExhausted = true
    names.tags = ["t2"]
    #expect(LoadNames(denying: budgets) == names)
    budgets.deployments[0].isExhausted = true
    names = LoadNames(budgets)
    names.deployments = ["d1"]
    #expect(LoadNames(denying: budgets) == names)
    budgets.providers[1].isExhausted = true
    names = LoadNames(budgets)
    names.providers = ["p2"]
    #expect(LoadNames(denying: budgets) == names)
  }

  @Test(arguments: [false, true])
  func anAllowedFilterIsAnErrorWhereDenialsAreExpected(_ expectsDenials: Bool) throws {
    var plan = LoadPlan()
    plan.connections = 1
    plan.depth = 3
    plan.warmUp = .zero
    plan.expectsDenials = expectsDenials
    let start = MonotonicInstant(nanoseconds: 0)
    var driver = LoadDriver(plan, try LoadFrames(plan), startingAt: start)
    var sent: [UInt8] = []
    driver.fill(connection: 0, output: &sent, at: start)
    for (place, status) in [StatusCode.ok, .resourceExhausted, .resourceExhausted].enumerated() {
      var reply = FilterReply()
      reply.statusCode = status
      var bytes: [UInt8] = []
      ResponseWriter().appendFilterDeployments(
        &reply, callID: LoadFrames.firstCallID + UInt64(place), to: &bytes)
      let body = Array(bytes[4...])
      unsafe driver.take(body.span.bytes, from: 0, at: start.advanced(by: .seconds(1)))
    }
    let answers = try #require(driver.report.answers.first)
    #expect(answers.codes.map(\.count) == [1, 2])
    #expect(answers.errors == (expectsDenials ? 1 : 0))
  }

  @Test func repliesAreCountedByMethodAndStatus() throws {
    var plan = LoadPlan()
    plan.work = .filter
    plan.connections = 1
    plan.depth = 3
    plan.warmUp = .seconds(1)
    plan.duration = .seconds(2)
    let start = MonotonicInstant(nanoseconds: 1_000)
    func at(_ seconds: Double) -> MonotonicInstant { start.advanced(by: .seconds(seconds)) }
    var driver = LoadDriver(plan, try LoadFrames(plan), startingAt: start)
    var sent: [UInt8] = []
    var reply: [UInt8] = []
    func answer(_ place: UInt64, _ status: StatusCode, _ seconds: Double) {
      reply = []
      if status == .ok {
        var empty = FilterReply()
        ResponseWriter().appendFilterDeployments(
          &empty, callID: LoadFrames.firstCallID + place, to: &reply)
      } else {
        ResponseWriter().appendStatus(
          RPCStatus(status, "x"), callID: LoadFrames.firstCallID + place, to: &reply)
      }
      let body = Array(reply[4...])
      unsafe driver.take(body.span.bytes, from: 0, at: at(seconds))
    }
    driver.fill(connection: 0, output: &sent, at: at(0))
    answer(0, .ok, 0.5)
    answer(1, .ok, 1.25)
    answer(2, .unavailable, 1.5)
    driver.fill(connection: 0, output: &sent, at: at(2))
    answer(1, .resourceExhausted, 2.5)
    sent = []
    driver.fill(connection: 0, output: &sent, at: at(3))
    #expect(sent.isEmpty && !driver.isDone(at: at(3)))
    answer(0, .ok, 3.5)
    answer(2, .ok, 3.5)
    #expect(driver.isDone(at: at(3.5)) && driver.stray == nil)
    let answers = try #require(driver.report.answers.first)
    #expect(driver.report.answers.count == 1 && driver.report.unanswered.isEmpty)
    #expect(answers.codes.map(\.name) == ["OK", "RESOURCE_EXHAUSTED", "UNAVAILABLE"])
    #expect(answers.codes.map(\.count) == [1, 1, 1])
    #expect(answers.errors == 1)
    #expect(answers.rate == 1.5)
    answer(0, .ok, 3.6)
    #expect(driver.stray != nil)
  }

  @Test(arguments: LoadPlan.Work.allCases)
  func methodsWithoutACountedAnswerAreNamed(_ work: LoadPlan.Work) throws {
    var plan = LoadPlan()
    plan.work = work
    plan.connections = 1
    plan.depth = 2
    let start = MonotonicInstant(nanoseconds: 0)
    var driver = LoadDriver(plan, try LoadFrames(plan), startingAt: start)
    let asked: [LoadPlan.Work: [String]] = [
      .filter: ["filter_deployments"], .record: ["record_spend"],
      .mixed: ["filter_deployments", "record_spend"],
    ]
    #expect(driver.report.answers.isEmpty && driver.report.unanswered == asked[work])
    var sent: [UInt8] = []
    driver.fill(connection: 0, output: &sent, at: start)
    // Of mixed work the first request is a filter. An answer to it within the warm-up, one that
    // counts, and one that comes when the counting is over.
    for (place, seconds) in [(0, 0.5), (0, 2), (1, 7.0)] {
      var reply: [UInt8] = []
      ResponseWriter().appendStatus(
        RPCStatus(.unavailable, "x"), callID: LoadFrames.firstCallID + UInt64(place), to: &reply)
      let body = Array(reply[4...])
      unsafe driver.take(body.span.bytes, from: 0, at: start.advanced(by: .seconds(seconds)))
      if seconds < 1 {
        #expect(driver.report.unanswered == asked[work])
        driver.fill(connection: 0, output: &sent, at: start.advanced(by: .seconds(seconds)))
      }
    }
    #expect(driver.report.answers.count == 1)
    #expect(driver.report.unanswered == (work == .mixed ? ["record_spend"] : []))
  }
}
