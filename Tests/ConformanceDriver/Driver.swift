import BudgetClient
import Foundation

/// A client and its holds.
actor Driver {
  struct Failure: Error {
    var kind: String
    var message: String
    var denials: [Denial]?
  }

  typealias Object = [String: Any]

  private var client: RouterClient?
  private var holds: [String: BudgetHold] = [:]

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
    } catch let error as RouterError {
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
    case "settle": return try settle(given)
    case "release":
      holds[given.hold ?? ""]?.release()
      return [:]
    case "extend":
      let ttl = Duration.milliseconds(given.ttl ?? 0)
      return ["expires_at_ms": try await holds[given.hold ?? ""]?.extend(by: ttl) ?? 0]
    case "record":
      return ["key": try client.record(charged(given))]
    case "flush":
      return ["owed": await client.flush(timeout: .milliseconds(given.timeout ?? 0))]
    case "budgets": return try await budgets(client, given)
    case "ping":
      let pong = try await client.ping()
      return [
        "version": pong.version, "node_id": pong.nodeID, "ready": pong.isReady,
        "methods": pong.methods,
      ]
    case "stats":
      let stats = client.stats
      return [
        "owed": stats.owed, "recorded": stats.recorded, "duplicates": stats.duplicates,
        "dropped": stats.dropped, "retries": stats.retries, "unavailable": stats.unavailable,
      ]
    case "close":
      return ["owed": await client.close(timeout: .milliseconds(given.timeout ?? 0))]
    default: throw Failure(kind: "other", message: "no such op: \(operation)")
    }
  }

  private func open(_ given: Arguments) throws -> Object {
    let options = given.options ?? Arguments.Options()
    var settings = RouterSettings()
    func set(_ setting: WritableKeyPath<RouterSettings, Duration>, _ milliseconds: Int?) {
      if let milliseconds { settings[keyPath: setting] = .milliseconds(milliseconds) }
    }
    set(\.filterTimeout, options.filterTimeout)
    set(\.reserveTimeout, options.reserveTimeout)
    set(\.recordTimeout, options.recordTimeout)
    set(\.callTimeout, options.callTimeout)
    set(\.connectTimeout, options.connectTimeout)
    set(\.shortestPause, options.pause)
    set(\.longestPause, options.longestPause)
    if let outbox = options.outbox { settings.outboxRecords = outbox }
    settings.journal = options.journal
    settings.token = options.tokenFile.map { .file($0) }
    if let ca = options.ca {
      var security = BudgetClientSecurity()
      security.ca = ca
      security.certificate = options.certificate
      security.key = options.key
      security.serverName = options.serverName
      settings.security = security
    }
    // The cases are about what callers hear.
    settings.log = { _ in }
    client = try RouterClient(
      given.addresses ?? [], onUnavailable: try OnUnavailable(options.onUnavailable),
      settings: settings)
    return [:]
  }

  // MARK: - Filters and holds

  private func candidates(_ given: Arguments) -> [Deployment] {
    (given.candidates ?? []).map { one in
      Deployment(
        id: one.id ?? "", modelName: one.modelName ?? "", model: one.model ?? "",
        provider: one.provider ?? "", isFree: one.free ?? false, estimatedCostUSD: one.estimate)
    }
  }

  private func filter(_ client: RouterClient, _ given: Arguments) async throws -> Object {
    let answer = try await client.filter(
      candidates(given), tags: given.names, modelName: given.modelName ?? "",
      estimatedCostUSD: given.estimate ?? 0)
    return [
      "allowed": answer.allowed, "denials": answer.denials.map(object), "message": answer.message,
      "unavailable": answer.unavailable.map { $0 as Any } ?? NSNull(),
    ]
  }

  private func charged(_ given: Arguments) -> RecordSpendRequest {
    var record = RecordSpendRequest(costUSD: given.cost)
    record.provider = given.provider ?? ""
    record.deploymentID = given.deploymentID ?? ""
    record.model = given.model ?? ""
    record.modelName = given.modelName ?? ""
    record.tags = given.names
    record.idempotencyKey = given.key ?? ""
    return record
  }

  private func reserve(_ client: RouterClient, _ given: Arguments) async throws -> Object {
    let hold: BudgetHold
    if given.candidates == nil {
      let names = charged(given)
      var request = ReserveSpendRequest(amountUSD: given.amount ?? 0)
      request.provider = names.provider
      request.deploymentID = names.deploymentID
      request.model = names.model
      request.modelName = names.modelName
      request.tags = names.tags
      request.ttlMilliseconds = given.ttl ?? 0
      request.idempotencyKey = names.idempotencyKey
      hold = try await client.reserve(request)
    } else {
      var request = FilterDeploymentsRequest(
        deployments: candidates(given), tags: given.names, modelName: given.modelName ?? "")
      request.reserve = ReserveOptions(
        amountUSD: given.amount, ttlMilliseconds: given.ttl ?? 0, idempotencyKey: given.key ?? "")
      hold = try await client.reserve(choosing: request)
    }
    holds[given.hold ?? ""] = hold
    return [
      "id": hold.reservation?.id ?? "", "reserved": hold.reservedUSD,
      "chosen": hold.chosen.map { $0.position as Any } ?? NSNull(),
      "unavailable": hold.unavailable.map { $0 as Any } ?? NSNull(),
    ]
  }

  private func settle(_ given: Arguments) throws -> Object {
    guard let hold = holds[given.hold ?? ""] else {
      throw Failure(kind: "other", message: "no such hold")
    }
    let record = charged(given)
    let names = record.provider + record.deploymentID + record.model + record.modelName
    if names.isEmpty, record.tags.isEmpty {
      return ["key": try hold.settle(costUSD: given.cost ?? 0, key: given.key ?? "")]
    }
    return ["key": try hold.settle(record)]
  }

  private func budgets(_ client: RouterClient, _ given: Arguments) async throws -> Object {
    var request = GetProviderBudgetsRequest()
    request.includesDeployments = given.deployments ?? false
    request.includesTags = given.wantsTags
    request.includesModels = given.models ?? false
    request.includesPools = given.pools ?? false
    let all = try await client.budgets(request)
    return [
      "providers": all.providers.map(object), "deployments": all.deployments.map(object),
      "tags": all.tags.map(object), "models": all.models.map(object),
      "pools": all.pools.map(object), "total": all.total.map(object),
    ]
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

  private func failure(_ error: RouterError) -> Failure {
    var failure = Failure(kind: "", message: error.description)
    switch error {
    case .denied(_, let denials):
      failure.kind = "denied"
      failure.denials = denials
    case .refused: failure.kind = "refused"
    case .unavailable: failure.kind = "unavailable"
    case .outboxFull: failure.kind = "outbox_full"
    case .closed: failure.kind = "closed"
    case .invalid: failure.kind = "invalid"
    case .cancelled: failure.kind = "cancelled"
    }
    return failure
  }
}
