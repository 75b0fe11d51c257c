public import BudgetAlerts
import BudgetModel
import Reconciliation
import RedisStore

/// A node's alerts, as the fleet agrees on who delivers them. Any thread may call it.
public protocol SharedAlerts: Sendable {
  /// The time that has passed since some instant, by which the book goes.
  var uptime: Duration { get }

  /// Looks at the book, or changes it, as one step.
  func withBook<Result: Sendable>(_ body: (inout AlertBook) -> Result) -> Result

  /// This node makes the attempt: the store has its claim. `nil`: the book has changed otherwise.
  func exchanged(won attempt: AlertBook.Attempt?)
}

/// Brings a node's alerts and the store's together: a hash with a field for each alert that is done, one
/// for the last attempt at each that is not, and a word that is there as long as the store remembers.
///
/// A script raises an attempt's number where nobody else has: so one node makes it, whatever else goes
/// on, and whatever becomes of replies. A claim whose reply was lost stands, and the others wait until
/// it is over.
struct AlertExchange {
  private let key: [UInt8]
  /// The claimant's name in claims.
  private let node: String
  /// The word of the store that has been told all that this node remembers, and the links made then.
  private var remembered: (word: [UInt8], links: Int)?
  /// When the store is next looked through for what is over; nil: nothing was ever exchanged.
  private var sweepAt: Duration?
  private let makeWord: () -> String

  init(
    _ keys: RedisKeys, node: String,
    makeWord: @escaping () -> String = { String(UInt64.random(in: .min ... .max), radix: 16) }
  ) {
    key = keys.alertsKey
    self.node = node
    self.makeWord = makeWord
  }

  /// One exchange. Returns why it was refused, nil where it was not; throws where the link broke.
  mutating func pass(
    _ alerts: some SharedAlerts, _ store: inout some ExchangeStore, at time: Timestamp
  ) throws(PassFailure) -> String? {
    let now = alerts.uptime
    if alerts.withBook({ $0.isIdle }), now < sweepAt ?? .seconds(Int64.max) { return nil }
    do throws(PassFailure) {
      let fault = try exchange(alerts, &store, at: now, time)
      if fault != nil { alerts.withBook { $0.lost() } }
      return fault
    } catch {
      alerts.withBook { $0.lost() }
      throw error
    }
  }

  private mutating func exchange(
    _ alerts: some SharedAlerts, _ store: inout some ExchangeStore, at now: Duration,
    _ time: Timestamp
  ) throws(PassFailure) -> String? {
    alerts.withBook { $0.look(at: now) }
    if let fault = try remember(alerts, &store) { return fault }
    if let fault = try tell(alerts, &store) { return fault }
    if let fault = try read(alerts, &store) { return fault }
    if let fault = try claim(alerts, &store) { return fault }
    return try sweep(&store, at: now, time)
  }

  // MARK: - The five steps

  /// A store that may have lost its memory gets this node's: its word is another one, or gone, or the
  /// link is new and another server may be behind it.
  private mutating func remember(
    _ alerts: some SharedAlerts, _ store: inout some ExchangeStore
  ) throws(PassFailure) -> String? {
    let word = try store.answers(to: [command("HGET", AlertFields.word)])[0]
    if let refusal = word.refusal { return "\(refusal)" }
    let links = store.linksMade
    if let bytes = word.bytes, let remembered, remembered == (bytes, links) { return nil }
    remembered = nil
    let memory = alerts.withBook { $0.memory }
    var commands = [command("HSETNX", AlertFields.word, Array(makeWord().utf8))]
    for start in stride(from: 0, to: memory.kept.count, by: AlertFields.writtenAtOnce) {
      let rows = memory.kept[start..<min(start + AlertFields.writtenAtOnce, memory.kept.count)]
      // As a replica has them their claims may stand beside them.
      commands += done(rows)
    }
    // The word after all that was told: where it is still the same then, so is the store.
    commands.append(command("HGET", AlertFields.word))
    let replies = try store.answers(to: commands)
    let claims = memory.claims.map { AlertFields.claimCall(key, $0.id, named($0.claim)) }
    let raised = try store.answers(to: claims, of: AlertFields.script)
    if let refusal = (replies + raised).lazy.compactMap(\.refusal).first { return "\(refusal)" }
    guard let bytes = replies.last?.bytes, store.linksMade == links else { return nil }
    remembered = (bytes, links)
    let now = alerts.uptime
    alerts.withBook { $0.foundStore(at: now) }
    return nil
  }

  /// Alerts that are done, or that nobody is to try again.
  private func tell(
    _ alerts: some SharedAlerts, _ store: inout some ExchangeStore
  ) throws(PassFailure) -> String? {
    let news = alerts.withBook { $0.news }
    if news.isEmpty { return nil }
    if let refusal = try store.answers(to: done(news[...])).lazy.compactMap(\.refusal).first {
      return "\(refusal)"
    }
    alerts.withBook { $0.told(news.map(\.id)) }
    return nil
  }

  /// The work of others on the alerts that wait.
  private func read(
    _ alerts: some SharedAlerts, _ store: inout some ExchangeStore
  ) throws(PassFailure) -> String? {
    let unknown = alerts.withBook { $0.unknown }
    if unknown.isEmpty { return nil }
    let replies = try store.answers(
      to: unknown.map { command("HMGET", Array($0.utf8), AlertFields.claim(on: $0)) })
    if let refusal = replies.lazy.compactMap(\.refusal).first { return "\(refusal)" }
    let now = alerts.uptime
    let found = zip(unknown, replies).map { id, reply in
      (id, AlertFields.seen(reply.array ?? [], by: node))
    }
    alerts.withBook { book in for (id, seen) in found { book.heard(id, seen, at: now) } }
    // The store may have become of use to others: done alerts have to get to the disk.
    alerts.exchanged(won: nil)
    return nil
  }

  /// The next attempt of this node.
  private func claim(
    _ alerts: some SharedAlerts, _ store: inout some ExchangeStore
  ) throws(PassFailure) -> String? {
    let asked = alerts.uptime
    let next = alerts.withBook { book in
      book.claimable(at: asked).flatMap { next in
        book.claim(on: next.id, generation: next.generation).map { (id: next.id, claim: $0) }
      }
    }
    guard let next, let remembered else { return nil }
    let call = AlertFields.claimCall(key, next.id, named(next.claim), while: remembered.word)
    let reply = try store.answers(to: [call], of: AlertFields.script)[0]
    if let refusal = reply.refusal { return "\(refusal)" }
    // Somebody else was first, or it was done since it was read, or the store has changed: the next
    // exchange reads it.
    guard case .integer(1) = reply, store.linksMade == remembered.links else { return nil }
    let attempt = alerts.withBook {
      $0.begin(next.id, generation: next.claim.generation, asked: asked)
    }
    if let attempt { alerts.exchanged(won: attempt) }
    return nil
  }

  /// Fields of windows that are over go, once an hour, whoever comes first: the nodes that wrote them
  /// may be gone.
  private mutating func sweep(
    _ store: inout some ExchangeStore, at now: Duration, _ time: Timestamp
  ) throws(PassFailure) -> String? {
    guard now >= sweepAt ?? .zero else { return nil }
    let isFirst = sweepAt == nil
    sweepAt = now + AlertFields.sweepInterval
    // A node that has just started leaves it to the others for once.
    if isFirst { return nil }
    let swept = try store.answers(to: [command("HGET", AlertFields.swept)])[0]
    if let refusal = swept.refusal { return "\(refusal)" }
    guard AlertFields.isDue(swept.bytes, at: time) else { return nil }
    let found = try store.answers(to: [
      command("HSET", AlertFields.swept, Array("\(time.unixMilliseconds)".utf8)),
      command("HGETALL"),
    ])[1]
    if let refusal = found.refusal { return "\(refusal)" }
    let over = AlertFields.over(found.array ?? [], at: time)
    for start in stride(from: 0, to: over.count, by: AlertFields.writtenAtOnce) {
      let slice = over[start..<min(start + AlertFields.writtenAtOnce, over.count)]
      if let refusal = try store.answers(to: [command("HDEL") + slice])[0].refusal {
        return "\(refusal)"
      }
    }
    return nil
  }

  /// These alerts are done; whoever looks finds that first.
  private func done(_ rows: ArraySlice<AlertBook.Kept>) -> [[[UInt8]]] {
    [
      command("HSET") + rows.flatMap { [Array($0.id.utf8), AlertFields.done($0)] },
      command("HDEL") + rows.map { AlertFields.claim(on: $0.id) },
    ]
  }

  /// A claim with its claimant's name.
  private func named(_ claim: AlertBook.Claim) -> AlertBook.Claim {
    var claim = claim
    claim.claimant = claim.claimant ?? node
    return claim
  }

  private func command(_ name: String, _ rest: [UInt8]...) -> [[UInt8]] {
    [Array(name.utf8), key] + rest
  }
}
