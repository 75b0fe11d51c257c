public import BudgetModel
import Reconciliation
import RedisStore

/// A node's own changes, as the fleet exchanges them. Any thread may call it.
public protocol SharedChanges: Sendable {
  /// Another number means other changes.
  var changesEdition: UInt64 { get }

  /// Every change that the node holds.
  var heldChanges: [BudgetChange] { get }

  /// The start of the window that the last reset of each budget began.
  var resets: [BudgetKey: Timestamp] { get }

  /// Does `work` in turn with changes that are made here: nothing is reset meanwhile.
  func inTurn<Result>(_ work: () -> Result) -> Result

  /// Takes changes of other nodes: in the ledger first, then in force. Those that do not hold over the
  /// node's own are passed over. Throws, and nothing is in force, where the ledger cannot keep them.
  func hear(_ changes: [BudgetChange]) throws(ChangesNotKept)
}

/// Changes of other nodes could not be kept: the next pass tells them again.
public struct ChangesNotKept: Error {
  /// Why, for a log.
  public var reason: String

  /// Makes an error.
  public init(_ reason: String) { self.reason = reason }
}

/// Brings one node's changes and the store's together: a hash with a field for each register, and a
/// word that is another after each write.
///
/// State, not events: whoever finds a later change in the store takes it, and whoever has a later one
/// writes it; so a store that was emptied is filled again by whoever comes first. Two that write at
/// once may leave the older change there. The one whose change is missing finds another word than it
/// read last, looks, and writes again.
struct ChangeExchange {
  /// The state of the store when it was read last.
  private enum Seen: Equatable {
    case nothing
    /// The word; nil: there was none.
    case word([UInt8]?)
  }

  private let key: [UInt8]
  private var seen = Seen.nothing
  /// The node's edition when the store had all of it.
  private var told: UInt64?
  private let makeWord: () -> String

  /// The field of the word; no register has it.
  static let wordField = Array("word".utf8)
  /// One command writes so many changes at most.
  private static let writtenAtOnce = 500
  /// More fields than that a fleet never has.
  private static let mostFields = 2 * ChangeTable.mostKept

  init(
    _ keys: RedisKeys,
    makeWord: @escaping () -> String = { String(UInt64.random(in: .min ... .max), radix: 16) }
  ) {
    key = keys.policyKey
    self.makeWord = makeWord
  }

  /// One look at the store: a command where nothing is new. Returns why changes could not be exchanged,
  /// nil where they were; throws where the link broke.
  mutating func pass(
    _ node: some SharedChanges, _ store: inout some FleetStore, at now: Timestamp
  ) throws(PassFailure) -> String? {
    let word = try store.replies(to: [command("HGET", Self.wordField)])[0]
    if let refusal = word.refusal { return try refused(refusal) }
    let edition = node.changesEdition
    if Seen.word(word.bytes) == seen, edition == told { return nil }
    let found = try store.replies(to: [command("HGETALL")])[0]
    if let refusal = found.refusal { return try refused(refusal) }
    guard let fields = found.array, fields.count <= Self.mostFields else {
      return "the hash holds more than any fleet writes"
    }
    let stored = StoredChanges(fields)
    do throws(ChangesNotKept) {
      try node.hear(stored.changes.values.filter { !$0.isForgotten(at: now) })
    } catch {
      return error.reason
    }
    return try write(node, stored, edition, at: now, &store)
  }

  /// Writes what the store lacks, and takes out what was over long ago.
  private mutating func write(
    _ node: some SharedChanges, _ stored: StoredChanges, _ edition: UInt64, at now: Timestamp,
    _ store: inout some FleetStore
  ) throws(PassFailure) -> String? {
    let missing = node.heldChanges.filter { change in
      if change.isForgotten(at: now) { return false }
      return stored.changes[change.register].map { change.holds(over: $0) } ?? true
    }
    let over = stored.changes.values.filter { $0.isForgotten(at: now) }
    guard !missing.isEmpty || !over.isEmpty else {
      (seen, told) = (.word(stored.word), edition)
      return nil
    }
    // Read again next time: somebody else may have written in between.
    seen = .nothing
    var commands: [[[UInt8]]] = []
    for start in stride(from: 0, to: over.count, by: Self.writtenAtOnce) {
      let slice = over[start..<min(start + Self.writtenAtOnce, over.count)]
      commands.append(command("HDEL") + slice.map { StoredChanges.field($0.register) })
    }
    for start in stride(from: 0, to: max(missing.count, 1), by: Self.writtenAtOnce) {
      let slice = missing[start..<min(start + Self.writtenAtOnce, missing.count)]
      let pairs = slice.flatMap { [StoredChanges.field($0.register), Array($0.text.utf8)] }
      commands.append(
        command("HSET") + pairs + [Self.wordField, Array(makeWord().utf8)])
    }
    for reply in try store.replies(to: commands) {
      if let refusal = reply.refusal { return try refused(refusal) }
    }
    return nil
  }

  private func command(_ name: String, _ rest: [UInt8]...) -> [[UInt8]] {
    [Array(name.utf8), key] + rest
  }

  /// A key that this node may not touch costs only the exchange; a store that refuses everything is the
  /// pass's to find.
  private mutating func refused(_ refusal: RedisRefusal) throws(PassFailure) -> String {
    seen = .nothing
    return "\(refusal)"
  }
}

/// The changes in the store: untrusted texts.
private struct StoredChanges {
  var word: [UInt8]?
  var changes: [BudgetChange.Register: BudgetChange] = [:]

  init(_ fields: [RedisValue]) {
    for index in stride(from: 0, to: fields.count - 1, by: 2) {
      guard let field = fields[index].bytes, let value = fields[index + 1].bytes else { continue }
      if field == ChangeExchange.wordField {
        word = value
        continue
      }
      let text = String(decoding: value, as: UTF8.self)
      guard let change = BudgetChange(text: text), Self.field(change.register) == field else {
        continue
      }
      changes[change.register] = change
    }
  }

  /// `limit:provider:1d:openai`: a window's text has no colon.
  static func field(_ register: BudgetChange.Register) -> [UInt8] {
    let target = register.target
    return Array(
      "\(register.matter):\(target.scope):\(target.windowText):\(target.name)".utf8)
  }
}
