public import BudgetWire
import Locks

// Reservations: an amount is held back before the money is spent, and settled by the record of what it
// cost.

extension BudgetClient {
  /// Holds an amount back in every budget that a record of the same names would be charged to.
  ///
  /// That a budget has no room is a result (`isExhausted`), not an error. Never sent twice: after an
  /// `unknown` error a second try without an idempotency key may hold a second time, until the first
  /// has run out. If the caller's task is cancelled meanwhile, this waits for the answer all the
  /// same, gives back what it holds and throws `cancelled`.
  public func reserveSpend(
    _ request: ReserveSpendRequest, timeout: Duration? = nil
  ) async throws(BudgetClientError) -> ReserveSpendResponse {
    try await held(request, tries: 1, timeout: timeout)
  }

  private func held(
    _ request: ReserveSpendRequest, tries: Int, timeout: Duration? = nil
  ) async throws(BudgetClientError) -> ReserveSpendResponse {
    let response = try await holdingAnswer(
      to: .reserveSpend(request), tries: tries, timeout: timeout)
    guard case .reserveSpend(let result)? = response.result else {
      throw .unknown(.unreadableAnswer("the answer to reserve_spend is to another method"))
    }
    return result
  }

  /// As `answer`, to a request that holds an amount back, which is given back where the caller's
  /// task was cancelled meanwhile: nobody else would know of it. After an unknown outcome it is
  /// asked again, `tries` times in all: with more than one the request has a key.
  func holdingAnswer(
    to method: RequestMessage.Method, tries: Int, timeout: Duration?
  ) async throws(BudgetClientError) -> ResponseMessage {
    if Task.isCancelled { throw .notApplied(.cancelled) }
    // A task of its own is not cancelled with the caller's.
    let asking = Task {
      var left = tries
      while true {
        left -= 1
        do throws(BudgetClientError) {
          let response = try await self.answer(to: method, timeout: timeout)
          return Result<_, BudgetClientError>.success(response)
        } catch {
          guard left > 0, error.outcome == .unknown else { return .failure(error) }
        }
      }
    }
    let response = try await asking.value.get()
    guard Task.isCancelled else { return response }
    if let id = response.reservationID {
      // If it fails, the reservation ends by its time.
      await Task { _ = try? await self.releaseReservation(id, timeout: timeout) }.value
    }
    throw .notApplied(.cancelled)
  }

  /// Gives a reservation back, and says whether it was open until now.
  public func releaseReservation(
    _ id: String, timeout: Duration? = nil
  ) async throws(BudgetClientError) -> Bool {
    let response = try await answer(to: .releaseReservation(id: id), timeout: timeout)
    guard case .released(let wasOpen)? = response.result else {
      throw .unknown(.unreadableAnswer("the answer to release_reservation is to another method"))
    }
    return wasOpen
  }

  /// Lets a reservation end so many milliseconds from now, 1,000 to 3,600,000, and never sooner than
  /// before; 0 = 120,000. Returns when it ends, Unix milliseconds. NOT_FOUND: it has ended.
  public func extendReservation(
    _ id: String, ttlMilliseconds: UInt32 = 0, timeout: Duration? = nil
  ) async throws(BudgetClientError) -> Int64 {
    let response = try await answer(
      to: .extendReservation(id: id, ttlMilliseconds: ttlMilliseconds), timeout: timeout)
    guard case .extended(let expiresAt)? = response.result else {
      throw .unknown(.unreadableAnswer("the answer to extend_reservation is to another method"))
    }
    return expiresAt
  }

  /// Runs `body` while an amount is held, which `body` settles with what the request cost. However
  /// `body` ends without that (it returns, throws, or its task is cancelled), the amount is given back
  /// before this returns.
  ///
  /// Throws `refused` with `resourceExhausted` where a budget has no room; `body` is not run then.
  /// If it is unknown whether the amount is held, it is asked for once more, under the same key,
  /// which is made where the request has none; if that is unknown too, what may be held ends by its
  /// time. A task that is cancelled by then throws as `reserveSpend` does.
  public func withReservation<Result>(
    _ request: ReserveSpendRequest, isolation: isolated (any Actor)? = #isolation,
    _ body: (OpenReservation) async throws -> Result
  ) async throws -> Result {
    var request = request
    if request.idempotencyKey.isEmpty { request.idempotencyKey = RecordKey.new() }
    let held = try await held(request, tries: Self.reservationTries)
    if held.isExhausted {
      throw BudgetClientError.notApplied(
        .refused(RPCStatus(.resourceExhausted, held.message)))
    }
    var record = RecordSpendRequest(costUSD: nil)
    record.provider = request.provider
    record.deploymentID = request.deploymentID
    record.model = request.model
    record.tags = request.tags
    record.modelName = request.modelName
    let open = OpenReservation(self, held.reservation, nil, record)
    return try await run(body, open)
  }

  /// As `withReservation`, for the candidate that the server chooses: the first, in their order, that
  /// every budget has room for. `body` finds it in `deployment`. `request.reserve` may say how much is
  /// held, and for how long.
  public func withReservation<Result>(
    choosing request: FilterDeploymentsRequest, isolation: isolated (any Actor)? = #isolation,
    _ body: (OpenReservation) async throws -> Result
  ) async throws -> Result {
    var request = request
    var options = request.reserve ?? ReserveOptions()
    if options.idempotencyKey.isEmpty { options.idempotencyKey = RecordKey.new() }
    request.reserve = options
    let answer = try await filtered(request, tries: Self.reservationTries)
    if answer.isExhausted {
      throw BudgetClientError.notApplied(
        .refused(RPCStatus(.resourceExhausted, answer.message)))
    }
    let candidates = answer.candidates.isEmpty ? request.deployments : answer.candidates
    guard let chosen = answer.chosen, candidates.indices.contains(chosen) else {
      throw BudgetClientError.notApplied(
        .unreadableAnswer("no candidate was chosen: the server may be older than 0.7.0"))
    }
    let deployment = candidates[chosen]
    var record = RecordSpendRequest(costUSD: nil)
    record.provider = deployment.provider
    record.deploymentID = deployment.id
    record.model = deployment.model
    record.tags = request.tags
    record.modelName = request.modelName.isEmpty ? deployment.modelName : request.modelName
    let open = OpenReservation(self, answer.reservation, deployment, record)
    return try await run(body, open)
  }

  /// Under one key a second try finds what the first may have held.
  private static let reservationTries = 2

  private func run<Result>(
    _ body: (OpenReservation) async throws -> Result, _ open: OpenReservation,
    isolation: isolated (any Actor)? = #isolation
  ) async throws -> Result {
    do {
      let result = try await body(open)
      await open.giveBack()
      return result
    } catch {
      await open.giveBack()
      throw error
    }
  }
}

extension ResponseMessage {
  /// The reservation that it tells of; nil: it holds nothing.
  fileprivate var reservationID: String? {
    switch result {
    case .reserveSpend(let answer)?: answer.reservation?.id
    case .filterDeployments(let answer)?: answer.reservation?.id
    default: nil
    }
  }
}

/// A reservation while `BudgetClient.withReservation` runs.
public final class OpenReservation: Sendable {
  /// The amount that is held; nil: the server holds nothing for it.
  public let reservation: SpendReservation?
  /// The candidate that was chosen; nil where the request named what it is for.
  public let deployment: Deployment?

  private let client: BudgetClient
  /// A record of the names that were reserved for.
  private let record: RecordSpendRequest
  private let state = Locked(State.open)

  private enum State {
    case open
    /// A settlement is under way.
    case settling
    /// It may be settled: the record's outcome is unknown.
    case doubtful
    case settled
  }

  init(
    _ client: BudgetClient, _ reservation: SpendReservation?, _ deployment: Deployment?,
    _ record: RecordSpendRequest
  ) {
    self.client = client
    self.reservation = reservation
    self.deployment = deployment
    self.record = record
  }

  /// Records what the request cost, under the names that were reserved for, and frees what was held in
  /// the same instant. Goes out even if the caller's task is cancelled: the money is spent.
  ///
  /// Settles once: after that it throws `alreadySettled`. After any error it may be called again, with
  /// the same cost, and adds nothing twice.
  @discardableResult
  public func settle(
    costUSD: Double, timeout: Duration? = nil
  ) async throws(BudgetClientError) -> RecordSpendResponse {
    var record = record
    record.costUSD = costUSD
    return try await settle(record, timeout: timeout)
  }

  /// As `settle(costUSD:)`, with a record of other names: where a fallback was used.
  @discardableResult
  public func settle(
    _ record: RecordSpendRequest, timeout: Duration? = nil
  ) async throws(BudgetClientError) -> RecordSpendResponse {
    let mayBegin = state.withLock { state in
      guard state == .open || state == .doubtful else { return false }
      state = .settling
      return true
    }
    guard mayBegin else { throw .notApplied(.alreadySettled) }
    var settlement = record
    settlement.reservationID = reservation?.id ?? ""
    // A task of its own is not cancelled with the caller's.
    let outcome = await Task { [client, settlement] in
      do throws(BudgetClientError) {
        return Result<_, BudgetClientError>.success(
          try await client.recordSpend(settlement, timeout: timeout))
      } catch {
        return .failure(error)
      }
    }.value
    state.withLock { state in
      switch outcome {
      case .success: state = .settled
      case .failure(.unknown): state = .doubtful
      case .failure(.notApplied): state = .open
      }
    }
    return try outcome.get()
  }

  /// Lets it end so many milliseconds from now, for a long stream; see
  /// `BudgetClient.extendReservation`.
  @discardableResult
  public func extend(
    ttlMilliseconds: UInt32 = 0, timeout: Duration? = nil
  ) async throws(BudgetClientError) -> Int64 {
    guard let reservation else {
      throw .notApplied(.refused(RPCStatus(.notFound, "nothing is held")))
    }
    return try await client.extendReservation(
      reservation.id, ttlMilliseconds: ttlMilliseconds, timeout: timeout)
  }

  /// Gives it back unless it was settled, or may have been.
  func giveBack() async {
    guard let reservation, state.withLock({ $0 == .open }) else { return }
    // A task of its own is not cancelled with the caller's. If it fails, the reservation ends by its
    // time.
    await Task { [client] in _ = try? await client.releaseReservation(reservation.id) }.value
  }
}
