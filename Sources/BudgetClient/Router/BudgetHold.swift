import BudgetModel
public import BudgetWire
import Locks
import Sockets

/// An amount that is held until `settle`, `release` or its time ends it. Only its first end counts.
public final class BudgetHold: Sendable {
  /// The reservation; nil: budgetd holds nothing for it, or was not there.
  public let reservation: SpendReservation?
  /// The candidate that was chosen, and its position; nil where the request named what it is for.
  public let chosen: (position: Int, deployment: Deployment)?
  /// US dollars that are held.
  public let reservedUSD: Double
  /// The budgets that denied candidates before the chosen one.
  public let denials: [Denial]
  /// Why budgetd was not asked, and nothing is held; nil: it was.
  public let unavailable: String?

  private let client: RouterClient
  /// The address that has the reservation.
  private let place: Int
  /// A record of the names that were reserved for.
  private let names: RecordSpendRequest
  private let state = Locked(State())

  private struct State {
    var hasEnded = false
    /// The key of the record that ended it.
    var key = ""
  }

  /// The parts of a hold that its answer gives.
  struct Answer {
    var reservation: SpendReservation?
    var chosen: (position: Int, deployment: Deployment)?
    var askedUSD: Double?
    var denials: [Denial] = []
    var unavailable: String?
    var place: Int
  }

  init(_ client: RouterClient, _ names: RecordSpendRequest, _ answer: Answer) {
    self.client = client
    self.names = names
    place = answer.place
    reservation = answer.reservation
    chosen = answer.chosen
    denials = answer.denials
    unavailable = answer.unavailable
    let held = answer.reservation?.amountUSD ?? 0
    reservedUSD = answer.unavailable != nil ? 0 : held == 0 ? answer.askedUSD ?? 0 : held
  }

  /// Records what the request cost in place of the hold, under the names that were reserved for, and
  /// returns the record's key. Does not wait, and does nothing once the hold has ended.
  ///
  /// Throws as `RouterClient.record`; the hold is open then.
  @discardableResult
  public func settle(costUSD: Double, key: String = "") throws(RouterError) -> String {
    var record = names
    record.costUSD = costUSD
    record.idempotencyKey = key
    return try settle(record)
  }

  /// As `settle(costUSD:)`, with a record of other names: where a fallback was used.
  @discardableResult
  public func settle(_ record: RecordSpendRequest) throws(RouterError) -> String {
    let before = state.withLock { exchange(&$0.hasEnded, with: true) ? $0.key : nil }
    if let before { return before }
    var record = record
    record.reservationID = reservation?.id ?? ""
    do throws(RouterError) {
      let key = try client.record(record, place: place)
      state.withLock { $0.key = key }
      return key
    } catch {
      state.withLock { $0.hasEnded = false }
      throw error
    }
  }

  /// Gives the amount back, unless the hold has ended. Does not wait.
  public func release() {
    guard !state.withLock({ exchange(&$0.hasEnded, with: true) }), let reservation else { return }
    client.release(reservation, place: place)
  }

  /// Lets it end `ttl` from now, never sooner than before; returns when that is, Unix milliseconds.
  ///
  /// Throws `refused` with NOT_FOUND where it has ended.
  @discardableResult
  public func extend(by ttl: Duration) async throws(RouterError) -> Int64 {
    guard let reservation, !state.withLock({ $0.hasEnded }) else {
      return reservation?.expiresAtUnixMilliseconds ?? 0
    }
    return try await client.extend(reservation, by: ttl, place: place)
  }
}

extension RouterClient {
  /// Without a time of its own a reservation ends after this long.
  private static let standardTTL: Duration = .seconds(120)

  /// Holds an amount back in every budget that a record of the same names would be charged to.
  ///
  /// Throws `denied` where a budget has no room. While no address answers, `OnUnavailable.open` gives a
  /// hold that holds nothing, whose `settle` is an ordinary record. Settle or release it: see
  /// `withReservation`.
  public func reserve(_ request: ReserveSpendRequest) async throws(RouterError) -> BudgetHold {
    var request = request
    if request.idempotencyKey.isEmpty { request.idempotencyKey = RecordKey.new() }
    try RecordKey.check(request.idempotencyKey)
    var names = RecordSpendRequest(costUSD: nil)
    names.provider = request.provider
    names.deploymentID = request.deploymentID
    names.model = request.model
    names.tags = request.tags
    names.modelName = request.modelName
    return try await hold(names, .reserveSpend(request)) { response throws(RouterError) in
      guard case .reserveSpend(let answer)? = response.result else { return nil }
      if answer.isExhausted { throw .denied(answer.message, answer.denials) }
      return BudgetHold.Answer(
        reservation: answer.reservation, askedUSD: request.amountUSD, denials: answer.denials,
        place: 0)
    }
  }

  /// As `reserve`, for the candidate that budgetd chooses: the first, in their order, that every budget
  /// has room for. `request.reserve` may say how much is held, and for how long.
  public func reserve(
    choosing request: FilterDeploymentsRequest
  ) async throws(RouterError) -> BudgetHold {
    var request = request
    var options = request.reserve ?? ReserveOptions()
    if options.idempotencyKey.isEmpty { options.idempotencyKey = RecordKey.new() }
    try RecordKey.check(options.idempotencyKey)
    request.reserve = options
    var names = RecordSpendRequest(costUSD: nil)
    names.tags = request.tags
    names.modelName = request.modelName
    let given = request.deployments
    return try await hold(names, .filterDeployments(request)) { response throws(RouterError) in
      guard case .filterDeployments(let answer)? = response.result else { return nil }
      if answer.isExhausted { throw .denied(answer.message, answer.denials) }
      var found = BudgetHold.Answer(
        reservation: answer.reservation, askedUSD: options.amountUSD, denials: answer.denials,
        place: 0)
      guard let position = answer.chosen else { return found }
      let candidates = answer.candidates.isEmpty ? given : answer.candidates
      guard candidates.indices.contains(position) else { return nil }
      found.chosen = (position, candidates[position])
      return found
    }
  }

  private func hold(
    _ names: RecordSpendRequest, _ method: RequestMessage.Method,
    _ read: (ResponseMessage) throws(RouterError) -> BudgetHold.Answer?
  ) async throws(RouterError) -> BudgetHold {
    do throws(RouterError) {
      // A task of its own is not cancelled with the caller's: what is held has to be given back.
      let asking = Task { [setup] in
        do throws(RouterError) {
          return Result<_, RouterError>.success(
            try await self.ask(method, setup.settings.reserveTimeout))
        } catch {
          return .failure(error)
        }
      }
      let (response, place) = try await asking.value.get()
      guard var answer = try read(response) else { throw refused(response, place) }
      answer.place = place
      var names = names
      if let deployment = answer.chosen?.deployment {
        names.provider = deployment.provider
        names.deploymentID = deployment.id
        names.model = deployment.model
        if names.modelName.isEmpty { names.modelName = deployment.modelName }
      }
      let hold = BudgetHold(self, names, answer)
      if Task.isCancelled {
        hold.release()
        throw .cancelled
      }
      return hold
    } catch {
      let answer = BudgetHold.Answer(unavailable: try opened(error), place: loop.inbox.preferred)
      return BudgetHold(self, names, answer)
    }
  }

  /// Runs `body` while an amount is held, which `body` settles with what the request cost. However
  /// `body` ends without that (it returns, throws, or its task is cancelled), the amount is given back.
  ///
  /// Throws as `reserve`; `body` is not run then.
  public func withReservation<Result>(
    _ request: ReserveSpendRequest, isolation: isolated (any Actor)? = #isolation,
    _ body: (BudgetHold) async throws -> Result
  ) async throws -> Result {
    let hold = try await reserve(request)
    defer { hold.release() }
    return try await body(hold)
  }

  /// As `withReservation`, for the candidate that budgetd chooses, which `body` finds in `chosen`.
  public func withReservation<Result>(
    choosing request: FilterDeploymentsRequest, isolation: isolated (any Actor)? = #isolation,
    _ body: (BudgetHold) async throws -> Result
  ) async throws -> Result {
    let hold = try await reserve(choosing: request)
    defer { hold.release() }
    return try await body(hold)
  }

  func release(_ reservation: SpendReservation, place: Int) {
    if loop.inbox.isClosed { return }
    // An id is at most 256 bytes long, and so is its request.
    guard let body = try? Frame.body(of: .releaseReservation(id: reservation.id)) else { return }
    let left = reservation.expiresAtUnixMilliseconds - SystemCalls.unixMilliseconds()
    let ttl =
      reservation.expiresAtUnixMilliseconds == 0 ? Self.standardTTL : .milliseconds(left)
    var owed = Owed(key: [], body: body, place: place)
    owed.until = MonotonicInstant.now().advanced(by: ttl)
    loop.inbox.count()
    loop.put(.owe(owed))
  }

  func extend(
    _ reservation: SpendReservation, by ttl: Duration, place: Int
  ) async throws(RouterError) -> Int64 {
    let method = RequestMessage.Method.extendReservation(
      id: reservation.id, ttlMilliseconds: ttl.roundedMilliseconds)
    let (response, answered) = try await ask(method, setup.settings.reserveTimeout, only: place)
    guard case .extended(let expiresAt)? = response.result else {
      throw refused(response, answered)
    }
    return expiresAt
  }
}
