import BudgetClient
import Foundation

/// A client, its holds, and what became of its records.
actor Driver {
  struct Failure: Error {
    var kind: String
    var message: String
    var denials: [Denial]?
  }

  /// A reservation, and the record that would settle it.
  struct Hold {
    var id = ""
    var record = RecordSpendRequest(costUSD: nil)
    var expiresAt: Int64 = 0
    var hasEnded = false
  }

  typealias Object = [String: Any]

  private var client: BudgetClient?
  private var options = Arguments.Options()
  private var holds: [String: Hold] = [:]
  private var owed = 0
  private var recorded = 0
  private var duplicates = 0
  private var dropped = 0

  /// Answers each command when it is done. They begin in their order.
  func run(_ commands: AsyncStream<Command>) async {
    for await command in commands { Task { await answer(command) } }
  }

  private func answer(_ command: Command) async {
    var told: Object = ["id": command.id]
    do {
      told["result"] = try await result(of: command.operation, command.arguments)
    } catch let failure as Failure {
      told["error"] = object(failure)
    } catch let error as BudgetClientError {
      told["error"] = object(failure(error))
    } catch {
      told["error"] = ["kind": "other", "message": "\(error)"]
    }
    do {
      let line = try JSONSerialization.data(withJSONObject: told)
      FileHandle.standardOutput.write(line + Data("\n".utf8))
    } catch {
      fatalError("an answer that is no JSON: \(told)")
    }
  }

  private func result(of operation: String, _ given: Arguments) async throws -> Object {
    if operation == "open" { return try open(given) }
    guard let client else { throw Failure(kind: "other", message: "no client is open") }
    switch operation {
    case "filter": return try await filter(client, given)
    case "reserve": return try await reserve(client, given)
    case "settle": return settle(client, given)
    case "release": return release(client, given)
    case "extend": return try await extend(client, given)
    case "record": return record(client, given)
    case "flush": return await flush(given)
    case "budgets": return try await budgets(client, given)
    case "ping":
      let pong = try await client.ping(timeout: milliseconds(options.callTimeout, 5_000))
      return [
        "version": pong.version, "node_id": pong.nodeID, "ready": pong.isReady,
        "methods": pong.methods,
      ]
    case "stats":
      return [
        "owed": owed, "recorded": recorded, "duplicates": duplicates, "dropped": dropped,
        "unavailable": 0,
      ]
    case "close":
      client.close()
      return ["owed": owed]
    default: throw Failure(kind: "other", message: "no such op: \(operation)")
    }
  }

  private func open(_ given: Arguments) throws -> Object {
    options = given.options ?? Arguments.Options()
    var settings = BudgetClientSettings()
    settings.token = options.tokenFile.map { .file($0) }
    // Of the introduction: each call below has its own.
    settings.timeout = .seconds(1)
    settings.shortestBackoff = milliseconds(options.pause, 50)
    settings.longestBackoff = milliseconds(options.longestPause, 5_000)
    client = try BudgetClient(server: given.addresses?.first ?? "", settings: settings)
    return [:]
  }

  private func milliseconds(_ given: Int?, _ standard: Int) -> Duration {
    .milliseconds(given ?? standard)
  }

  // MARK: - Filters and holds

  private func candidates(_ given: Arguments) -> [Deployment] {
    (given.candidates ?? []).map { one in
      var deployment = Deployment(
        id: one.id ?? "", modelName: one.modelName ?? "", model: one.model ?? "",
        provider: one.provider ?? "", isFree: one.free ?? false)
      deployment.estimatedCostUSD = one.estimate
      return deployment
    }
  }

  private func filter(_ client: BudgetClient, _ given: Arguments) async throws -> Object {
    let request = FilterDeploymentsRequest(
      deployments: candidates(given), tags: given.names, modelName: given.modelName ?? "",
      estimatedCostUSD: given.estimate ?? 0)
    let answer = try await client.filterDeployments(
      request, timeout: milliseconds(options.filterTimeout, 100))
    return [
      "allowed": answer.allowed, "denials": answer.denials.map(object), "message": answer.message,
      "unavailable": NSNull(),
    ]
  }

  private func charged(_ given: Arguments) -> RecordSpendRequest {
    var record = RecordSpendRequest(costUSD: given.cost)
    record.provider = given.provider ?? ""
    record.deploymentID = given.deploymentID ?? ""
    record.model = given.model ?? ""
    record.modelName = given.modelName ?? ""
    record.tags = given.names
    record.idempotencyKey = given.key ?? newKey()
    return record
  }

  private func reserve(_ client: BudgetClient, _ given: Arguments) async throws -> Object {
    let timeout = milliseconds(options.reserveTimeout, 1_500)
    let key = given.key ?? newKey()
    var hold = Hold(record: charged(given))
    var chosen: Int?
    let held: SpendReservation?
    if given.candidates == nil {
      var request = ReserveSpendRequest(amountUSD: given.amount ?? 0)
      request.provider = hold.record.provider
      request.deploymentID = hold.record.deploymentID
      request.model = hold.record.model
      request.modelName = hold.record.modelName
      request.tags = hold.record.tags
      request.ttlMilliseconds = given.ttl ?? 0
      request.idempotencyKey = key
      let answer = try await client.reserveSpend(request, timeout: timeout)
      if answer.isExhausted {
        throw Failure(kind: "denied", message: answer.message, denials: answer.denials)
      }
      held = answer.reservation
    } else {
      var request = FilterDeploymentsRequest(
        deployments: candidates(given), tags: given.names, modelName: given.modelName ?? "")
      request.reserve = ReserveOptions(
        amountUSD: given.amount, ttlMilliseconds: given.ttl ?? 0, idempotencyKey: key)
      let answer = try await client.filterDeployments(request, timeout: timeout)
      if answer.isExhausted {
        throw Failure(kind: "denied", message: answer.message, denials: answer.denials)
      }
      chosen = answer.chosen
      held = answer.reservation
      let all = answer.candidates.isEmpty ? request.deployments : answer.candidates
      if let chosen, all.indices.contains(chosen) {
        hold.record.provider = all[chosen].provider
        hold.record.deploymentID = all[chosen].id
        hold.record.model = all[chosen].model
        if request.modelName.isEmpty { hold.record.modelName = all[chosen].modelName }
      }
    }
    hold.id = held?.id ?? ""
    hold.expiresAt = held?.expiresAtUnixMilliseconds ?? 0
    holds[given.hold ?? ""] = hold
    let amount = held?.amountUSD ?? 0
    return [
      "id": hold.id, "chosen": chosen.map { $0 as Any } ?? NSNull(), "unavailable": NSNull(),
      "reserved": amount == 0 ? given.amount ?? 0 : amount,
    ]
  }

  private func settle(_ client: BudgetClient, _ given: Arguments) -> Object {
    let name = given.hold ?? ""
    guard var hold = holds[name] else { return [:] }
    if hold.hasEnded { return ["key": hold.record.idempotencyKey] }
    var names = charged(given)
    if names.provider + names.deploymentID + names.model + names.modelName == "",
      names.tags.isEmpty
    {
      names = hold.record
      names.costUSD = given.cost
      names.idempotencyKey = given.key ?? newKey()
    }
    names.reservationID = hold.id
    hold.record = names
    hold.hasEnded = true
    holds[name] = hold
    owe(client, names)
    return ["key": names.idempotencyKey]
  }

  private func release(_ client: BudgetClient, _ given: Arguments) -> Object {
    let name = given.hold ?? ""
    guard let hold = holds[name], !hold.hasEnded else { return [:] }
    holds[name]?.hasEnded = true
    let timeout = milliseconds(options.recordTimeout, 5_000)
    // Lost, it ends by its time.
    Task { _ = try? await client.releaseReservation(hold.id, timeout: timeout) }
    return [:]
  }

  private func extend(_ client: BudgetClient, _ given: Arguments) async throws -> Object {
    guard let hold = holds[given.hold ?? ""] else { return [:] }
    let end = try await client.extendReservation(
      hold.id, ttlMilliseconds: given.ttl ?? 0,
      timeout: milliseconds(options.reserveTimeout, 1_500))
    return ["expires_at_ms": end]
  }

  // MARK: - Records and budgets

  private func record(_ client: BudgetClient, _ given: Arguments) -> Object {
    let record = charged(given)
    owe(client, record)
    return ["key": record.idempotencyKey]
  }

  private func owe(_ client: BudgetClient, _ record: RecordSpendRequest) {
    owed += 1
    let timeout = milliseconds(options.recordTimeout, 5_000)
    Task {
      do {
        let answer = try await client.recordSpend(record, timeout: timeout)
        recorded += 1
        if answer.isDuplicate { duplicates += 1 }
      } catch {
        dropped += 1
      }
      owed -= 1
    }
  }

  private func flush(_ given: Arguments) async -> Object {
    let end = ContinuousClock.now + milliseconds(given.timeout, 5_000)
    while owed > 0, ContinuousClock.now < end {
      // Cancelled by nobody; waking early does no harm.
      try? await Task.sleep(for: .milliseconds(2))
    }
    return ["owed": owed]
  }

  private func budgets(_ client: BudgetClient, _ given: Arguments) async throws -> Object {
    var request = GetProviderBudgetsRequest()
    request.includesDeployments = given.deployments ?? false
    request.includesTags = given.wantsTags
    request.includesModels = given.models ?? false
    request.includesPools = given.pools ?? false
    let all = try await client.allBudgets(
      request, timeout: milliseconds(options.callTimeout, 5_000))
    return [
      "providers": all.providers.map(object), "deployments": all.deployments.map(object),
      "tags": all.tags.map(object), "models": all.models.map(object),
      "pools": all.pools.map(object), "total": all.total.map(object),
    ]
  }

  /// A UUIDv7.
  private func newKey() -> String {
    let time = String(UInt64(Date().timeIntervalSince1970 * 1_000), radix: 16)
    let padded = String(repeating: "0", count: 12 - time.count) + time
    let chance = UUID().uuidString.lowercased().split(separator: "-")
    let version = "7\(chance[2].suffix(3))"
    return "\(padded.prefix(8))-\(padded.suffix(4))-\(version)-\(chance[3])-\(chance[4])"
  }

  // MARK: - What is told

  private func object(_ budget: Budget) -> Object {
    [
      "name": budget.name, "spend": budget.spendUSD, "period": budget.timePeriod,
      "limit": budget.limitUSD.map { $0 as Any } ?? NSNull(),
      "remaining": budget.remainingUSD.map { $0 as Any } ?? NSNull(),
    ]
  }

  private func object(_ denial: Denial) -> Object {
    [
      "deployment": denial.position, "scope": Int(denial.scope?.rawValue ?? 0),
      "name": denial.name, "spend": denial.spendUSD, "limit": denial.limitUSD,
    ]
  }

  private func object(_ failure: Failure) -> Object {
    var told: Object = ["kind": failure.kind, "message": failure.message]
    if let denials = failure.denials { told["denials"] = denials.map(object) }
    return told
  }

  /// The client's errors carry data; these are the words of all clients for it.
  private func failure(_ error: BudgetClientError) -> Failure {
    let server = client?.server ?? ""
    let words: String
    switch error.reason {
    case .refused(let status) where [.unavailable, .deadlineExceeded].contains(status.code):
      words = "\(server) answered \(status.code): \(status.message)"
    case .refused, .alreadySettled:
      return Failure(kind: "refused", message: error.reason.description)
    case .clientClosed: return Failure(kind: "closed", message: error.reason.description)
    case .invalidAddress, .requestTooLong, .unusableSecurity:
      return Failure(kind: "invalid", message: error.reason.description)
    case .connectionLost(_, let status):
      let farewell = status.map { ": \($0.code): \($0.message)" } ?? ""
      words = "the connection to \(server) was lost before the answer came\(farewell)"
    case .timedOut(let after):
      words = "no answer from \(server) within \(Int((after / .milliseconds(1)).rounded())) ms"
    case .unreadableAnswer(let why): words = "\(server) does not speak budget.v1: \(why)"
    case .unreachable, .cancelled, .tooManyCalls, .notSecure, .unusableToken:
      words = error.reason.description
    }
    return Failure(kind: "unavailable", message: "budgetd does not answer: \(words)")
  }
}
