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
/// for each attempt at one that is not, and a word that is there as long as the store remembers.
///
/// HSETNX makes one node the first to write a number, whatever else goes on, and whatever becomes of
/// replies: a claim whose reply was lost stands, and the others wait until it is over.
struct AlertExchange {
  private let key: [UInt8]
  /// The claimant's name in claims.
  private let node: String
  /// The word of the store that has been told all that this node remembers.
  private var remembered: [UInt8]?
  private let makeWord: () -> String

  /// The field of the word, which an emptied store lacks.
  static let wordField = Array("word".utf8)
  private static let done = "done"
  /// One command writes so many fields at most.
  private static let writtenAtOnce = 500

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
    _ alerts: some SharedAlerts, _ store: inout some FleetStore
  ) throws(PassFailure) -> String? {
    if alerts.withBook({ $0.isIdle }) { return nil }
    do throws(PassFailure) {
      let fault = try exchange(alerts, &store)
      if fault != nil { alerts.withBook { $0.lost() } }
      return fault
    } catch {
      alerts.withBook { $0.lost() }
      throw error
    }
  }

  private mutating func exchange(
    _ alerts: some SharedAlerts, _ store: inout some FleetStore
  ) throws(PassFailure) -> String? {
    let now = alerts.uptime
    alerts.withBook { $0.look(at: now) }
    if let fault = try remember(alerts, &store) { return fault }
    if let fault = try tell(alerts, &store) { return fault }
    if let fault = try read(alerts, &store) { return fault }
    return try claim(alerts, &store)
  }

  // MARK: - The four steps

  /// A store that has lost its memory gets this node's: its word is another one, or gone.
  private mutating func remember(
    _ alerts: some SharedAlerts, _ store: inout some FleetStore
  ) throws(PassFailure) -> String? {
    let word = try store.replies(to: [command("HGET", Self.wordField)])[0]
    if let refusal = word.refusal { return "\(refusal)" }
    if let bytes = word.bytes, bytes == remembered { return nil }
    let (memory, lease) = alerts.withBook { ($0.memory, $0.lease) }
    var commands: [[[UInt8]]] = []
    if let claim = memory.claim {
      commands.append(
        command("HSETNX", Self.field(claim.id, claim.generation), claimText(lease)))
    }
    for start in stride(from: 0, to: memory.kept.count, by: Self.writtenAtOnce) {
      let rows = memory.kept[start..<min(start + Self.writtenAtOnce, memory.kept.count)]
      commands.append(
        command("HSET") + rows.flatMap { [Array($0.id.utf8), Self.doneText(until: $0.until)] })
    }
    commands.append(command("HSETNX", Self.wordField, Array(makeWord().utf8)))
    commands.append(command("HGET", Self.wordField))
    let replies = try store.replies(to: commands)
    if let refusal = replies.lazy.compactMap(\.refusal).first { return "\(refusal)" }
    remembered = replies.last?.bytes
    return nil
  }

  /// Alerts that are done, or that nobody is to try again.
  private func tell(
    _ alerts: some SharedAlerts, _ store: inout some FleetStore
  ) throws(PassFailure) -> String? {
    let (news, over) = alerts.withBook { ($0.news, $0.forgotten) }
    var commands: [[[UInt8]]] = []
    for item in news {
      if let until = item.until {
        commands.append(command("HSET", Array(item.id.utf8), Self.doneText(until: until)))
      }
      guard item.generations > 0 else { continue }
      // Whoever looks finds that it is done first.
      commands.append(
        command("HDEL") + (0..<item.generations).map { Self.field(item.id, $0) })
    }
    if !over.isEmpty { commands.append(command("HDEL") + over.map { Array($0.utf8) }) }
    if commands.isEmpty { return nil }
    if let refusal = try refusal(commands, &store) { return refusal }
    alerts.withBook { book in
      book.told(news.map(\.id))
      book.forgot(over.count)
    }
    return nil
  }

  /// The work of others on the alerts that wait.
  private func read(
    _ alerts: some SharedAlerts, _ store: inout some FleetStore
  ) throws(PassFailure) -> String? {
    let unknown = alerts.withBook { $0.unknown }
    if unknown.isEmpty { return nil }
    let replies = try store.replies(
      to: unknown.map { id, generation in
        // The last number that is known, and the next one.
        command("HMGET", Array(id.utf8), Self.field(id, generation), Self.field(id, generation + 1))
      })
    if let refusal = replies.lazy.compactMap(\.refusal).first { return "\(refusal)" }
    let now = alerts.uptime
    let found = zip(unknown, replies).map { item, reply in
      (item.id, seen(reply.array ?? [], after: item.generation))
    }
    alerts.withBook { book in for (id, seen) in found { book.heard(id, seen, at: now) } }
    // The store may have become of use to others: done alerts have to get to the disk.
    alerts.exchanged(won: nil)
    return nil
  }

  private func seen(_ values: [RedisValue], after generation: Int) -> AlertBook.Seen {
    var seen = AlertBook.Seen(isDone: false, generation: nil, lease: nil)
    guard values.count == 3 else { return seen }
    seen.isDone = values[0].bytes != nil
    for (offset, value) in values.dropFirst().enumerated() {
      guard let bytes = value.bytes else { continue }
      seen.generation = generation + offset
      let parts = String(decoding: bytes, as: UTF8.self).split(separator: " ")
      let lease = parts.count == 2 ? Int64(parts[1]) : nil
      seen.lease =
        parts.first.map(String.init) == node
        ? nil : .milliseconds(min(max(lease ?? 0, 0), Self.longestLease))
    }
    return seen
  }

  /// More than any receiver's time limit makes.
  private static let longestLease: Int64 = 600_000

  /// The next attempt of this node.
  private func claim(
    _ alerts: some SharedAlerts, _ store: inout some FleetStore
  ) throws(PassFailure) -> String? {
    let asked = alerts.uptime
    let (next, lease) = alerts.withBook { ($0.claimable(at: asked), $0.lease) }
    guard let next else { return nil }
    let replies = try store.replies(
      to: [
        command("HSETNX", Self.field(next.id, next.generation), claimText(lease)),
        command("HGET", Array(next.id.utf8)),
      ])
    if let refusal = replies.lazy.compactMap(\.refusal).first { return "\(refusal)" }
    // Somebody else was first, or it was done since it was read: the next exchange reads it.
    guard case .integer(1) = replies[0], replies[1].bytes == nil else { return nil }
    let attempt = alerts.withBook {
      $0.begin(next.id, generation: next.generation, asked: asked)
    }
    if let attempt { alerts.exchanged(won: attempt) }
    return nil
  }

  // MARK: - Commands

  static func field(_ id: String, _ generation: Int) -> [UInt8] {
    Array("\(id) \(generation)".utf8)
  }

  private static func doneText(until: Timestamp) -> [UInt8] {
    Array("\(done) \(until.unixMilliseconds)".utf8)
  }

  private func claimText(_ lease: Duration) -> [UInt8] {
    Array("\(node) \(lease.wholeMilliseconds)".utf8)
  }

  private func command(_ name: String, _ rest: [UInt8]...) -> [[UInt8]] {
    [Array(name.utf8), key] + rest
  }

  private func refusal(
    _ commands: [[[UInt8]]], _ store: inout some FleetStore
  ) throws(PassFailure) -> String? {
    try store.replies(to: commands).lazy.compactMap(\.refusal).first.map { "\($0)" }
  }
}
