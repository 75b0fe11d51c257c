import BudgetModel
public import BudgetWire
import Sockets
import Synchronization

/// A router's client of budgetd: asks which deployments are within budget, holds amounts back, and
/// records costs until budgetd has them, over one address or several.
///
///     let budgets = try RouterClient("127.0.0.1:7077", onUnavailable: .open)
///     let answer = try await budgets.filter(candidates, tags: ["team:research"])
///
/// Make one and share it: calls may come from any task, at any time. `proto/clients/README.md` says
/// what the clients of all languages do. It ends with `close`; let go without that, what it owes stays
/// in its journal, or is lost.
public final class RouterClient: Sendable {
  /// So many pages of budgets only a server gone wrong has.
  private static let maximumPages = 10_000

  let setup: RouterSetup
  let loop: RouterLoop
  private let lastID = Atomic<UInt64>(0)

  /// A client of the server at `addresses`: one or several with commas, `host:port` or `unix:PATH`. It
  /// connects when it has something to send.
  ///
  /// Throws `invalid` where an address, a file or the journal's folder cannot be used.
  public convenience init(
    _ addresses: String, onUnavailable: OnUnavailable,
    settings: RouterSettings = RouterSettings()
  ) throws(RouterError) {
    let texts = addresses.split(separator: ",").map { text in
      String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
    try self.init(texts.filter { !$0.isEmpty }, onUnavailable: onUnavailable, settings: settings)
  }

  /// A client of the servers at `addresses`, `host:port` or `unix:PATH` each.
  ///
  /// Throws as the other one.
  public init(
    _ addresses: [String], onUnavailable: OnUnavailable,
    settings: RouterSettings = RouterSettings()
  ) throws(RouterError) {
    let setup = try RouterSetup(addresses, onUnavailable, settings)
    let log = setup.log
    let journal = try settings.journal.map { folder throws(RouterError) in
      try Journal(folder: folder, log: log)
    }
    self.setup = setup
    loop = RouterLoop(setup, journal)
    loop.adoptOrphans()
  }

  deinit { loop.put(.close(nil)) }

  /// Its numbers until now.
  public var stats: RouterStats { loop.inbox.stats }

  // MARK: - Questions

  /// Which candidates are within budget. Without candidates those configured for `modelName` are.
  /// `estimatedCostUSD`: US dollars that the request may cost.
  ///
  /// While no address answers, `OnUnavailable.open` gives every candidate back. That none is within
  /// budget is an answer, not an error.
  public func filter(
    _ candidates: [Deployment] = [], tags: [String] = [], modelName: String = "",
    estimatedCostUSD: Double = 0
  ) async throws(RouterError) -> FilterAnswer {
    let request = FilterDeploymentsRequest(
      deployments: candidates, tags: tags, modelName: modelName,
      estimatedCostUSD: estimatedCostUSD)
    do throws(RouterError) {
      let (response, place) = try await ask(
        .filterDeployments(request), setup.settings.filterTimeout)
      guard case .filterDeployments(let answer)? = response.result else {
        throw refused(response, place)
      }
      return FilterAnswer(answer)
    } catch {
      return FilterAnswer(unavailable: try opened(error), of: candidates.count)
    }
  }

  /// All budgets as they stand: all pages together, each within the timeout. The total and the providers
  /// are always there; `request` says which other scopes are.
  public func budgets(
    _ request: GetProviderBudgetsRequest = GetProviderBudgetsRequest()
  ) async throws(RouterError) -> GetProviderBudgetsResponse {
    var request = request
    var all: GetProviderBudgetsResponse?
    for _ in 0..<Self.maximumPages {
      let (response, place) = try await ask(
        .getProviderBudgets(request), setup.settings.callTimeout)
      guard case .providerBudgets(let page)? = response.result else {
        throw refused(response, place)
      }
      if all == nil { all = page } else { all?.append(page) }
      if page.nextPageToken.isEmpty { return all ?? page }
      request.pageToken = page.nextPageToken
    }
    throw .unavailable(reason: "budgets on more than \(Self.maximumPages) pages")
  }

  /// Who answers, and how it is.
  public func ping() async throws(RouterError) -> PingResponse {
    let (response, place) = try await ask(.ping, setup.settings.callTimeout)
    guard case .ping(let pong)? = response.result else { throw refused(response, place) }
    return pong
  }

  // MARK: - Records

  /// Puts what a request cost into the outbox, and returns the record's key. Never waits: the record is
  /// sent until budgetd has answered it.
  ///
  /// A record without a key gets a UUIDv7. Throws `outboxFull`, `closed`, and `invalid` for a cost or
  /// key that budgetd would refuse.
  @discardableResult
  public func record(_ record: RecordSpendRequest) throws(RouterError) -> String {
    try self.record(record, place: loop.inbox.preferred)
  }

  /// Waits until nothing is owed, no longer than `timeout`, and says how many records still are.
  @discardableResult
  public func flush(timeout: Duration? = nil) async -> Int {
    let now = MonotonicInstant.now()
    let id = newID()
    let until = timeout.map { now.advanced(by: $0) } ?? .never
    await withTaskCancellationHandler {
      await withCheckedContinuation { caller in
        loop.put(.flush(id, until: until, caller))
        // A cancellation before the loop knew of it found nothing to end.
        if Task.isCancelled { loop.put(.endFlush(id)) }
      }
    } onCancel: {
      loop.put(.endFlush(id))
    }
    return loop.inbox.owed
  }

  /// Flushes, and ends. What is still owed, so many records, is lost, or stays in the journal.
  @discardableResult
  public func close(timeout: Duration = .seconds(5)) async -> Int {
    if loop.inbox.isClosed { return 0 }
    await flush(timeout: timeout)
    guard let owed = loop.inbox.close() else { return 0 }
    await withCheckedContinuation { loop.put(.close($0)) }
    return owed
  }

  // MARK: - The ways to the loop

  func record(_ record: RecordSpendRequest, place: Int) throws(RouterError) -> String {
    if loop.inbox.isClosed { throw .closed }
    var record = record
    if record.idempotencyKey.isEmpty { record.idempotencyKey = RecordKey.new() }
    try RecordKey.check(record.idempotencyKey)
    let cost = record.costUSD ?? .nan
    // A NaN is not an amount either: every comparison with it is false.
    guard cost >= 0, cost <= 9_000_000_000 else {
      throw .invalid("the cost \(RecordKey.text(cost)) is not an amount: 0 to 9000000000")
    }
    let body = try Frame.body(of: .recordSpend(record))
    let key = Array(record.idempotencyKey.utf8)
    try loop.inbox.count(atMost: setup.settings.outboxRecords)
    if loop.journal?.owe(key, setup.addresses[place].text, body) == false { throw .closed }
    loop.put(.owe(Owed(key: key, body: body, place: place)))
    return record.idempotencyKey
  }

  /// An answer, and the place of the address that gave it.
  func ask(
    _ method: RequestMessage.Method, _ timeout: Duration, only: Int? = nil
  ) async throws(RouterError) -> (ResponseMessage, place: Int) {
    let ask = RouterCore.Ask(try Frame.body(of: method), timeout: timeout, only: only)
    if loop.inbox.isClosed { throw .closed }
    let id = newID()
    let outcome = await withTaskCancellationHandler {
      await withCheckedContinuation { caller in
        loop.put(.ask(id, ask, caller))
        // A cancellation before the loop knew of it found nothing to cancel.
        if Task.isCancelled { loop.put(.cancel(id)) }
      }
    } onCancel: {
      loop.put(.cancel(id))
    }
    switch outcome {
    case .answer(let response, let place): return (response, place)
    case .unavailable(let reason): throw .unavailable(reason: reason)
    case .closed: throw .closed
    case .cancelled: throw .cancelled
    }
  }

  /// The error of an answer that has no result for its question.
  func refused(_ response: ResponseMessage, _ place: Int) -> RouterError {
    if let status = response.status { return .refused(status) }
    let address = setup.addresses[place].text
    return .unavailable(
      reason: "\(address) does not speak budget.v1: the answer is to another method")
  }

  /// The reason for which a request is let pass; throws where it is not.
  func opened(_ error: RouterError) throws(RouterError) -> String {
    guard case .unavailable(let reason) = error else { throw error }
    loop.inbox.countUnavailable()
    guard setup.opens else { throw error }
    return reason
  }

  private func newID() -> UInt64 { lastID.wrappingAdd(1, ordering: .relaxed).newValue }
}

/// The keys of records, and texts of amounts.
enum RecordKey {
  /// A UUIDv7: the time, then chance.
  static func new() -> String {
    let time = UInt64(truncatingIfNeeded: SystemCalls.unixMilliseconds()) & 0xFFFF_FFFF_FFFF
    let chance = UInt64.random(in: .min ... .max)
    let parts = [
      hexadecimal(time >> 16, 8), hexadecimal(time & 0xFFFF, 4),
      hexadecimal(0x7000 | chance >> 52, 4), hexadecimal(0x8000 | chance >> 38 & 0x3FFF, 4),
      hexadecimal(UInt64.random(in: 0..<1 << 48), 12),
    ]
    return parts.joined(separator: "-")
  }

  private static func hexadecimal(_ value: UInt64, _ count: Int) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: count - digits.count) + digits
  }

  static func check(_ key: String) throws(RouterError) {
    let count = key.utf8.count
    guard (1...256).contains(count) else {
      throw .invalid("the key has \(count) bytes: 1 to 256 are allowed")
    }
  }

  /// A number as people write it: without a point where it is whole.
  static func text(_ value: Double) -> String {
    Int64(exactly: value).map { "\($0)" } ?? "\(value)"
  }
}
