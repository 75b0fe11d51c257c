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
/// writes it; so a store that was emptied is filled again by whoever comes first. Nobody writes over
/// what it has not read: a write goes through only while the word is the one that was read, else the
/// node reads again. So once every node has made one whole pass the store has the latest of all, and
/// after the next one every node has.
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
  /// One pass tries to write so often at most: each time that it fails another node has written.
  private static let mostTries = 8

  /// Writes while the word is still the one that was read. Replies 1, or 0: it is another one.
  static let script = RedisScript(
    #"""
    local unpack = table.unpack or unpack
    -- KEYS[1] the hash   ARGV[1] the word as it was read, empty: none   [2] the next word
    -- ARGV[3] how many fields are to go   then these, then pairs: a field, its value
    if (redis.call('HGET', KEYS[1], 'word') or '') ~= ARGV[1] then return 0 end
    local over = tonumber(ARGV[3])
    redis.call('HSET', KEYS[1], 'word', ARGV[2], unpack(ARGV, 4 + over))
    if over > 0 then redis.call('HDEL', KEYS[1], unpack(ARGV, 4, 3 + over)) end
    return 1
    """#)

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
    _ node: some SharedChanges, _ store: inout some ExchangeStore, at now: Timestamp
  ) throws(PassFailure) -> String? {
    let word = try store.answers(to: [command("HGET", Self.wordField)])[0]
    if let refusal = word.refusal { return refused(refusal) }
    if Seen.word(word.bytes) == seen, node.changesEdition == told { return nil }
    // Another link may come in between.
    seen = .nothing
    for _ in 0..<Self.mostTries {
      switch try look(node, &store, at: now) {
      case .done: return nil
      case .fault(let reason): return reason
      case .outrun: continue
      }
    }
    return nil
  }

  private enum Outcome {
    case done
    case fault(String)
    /// Somebody else has written since it was read.
    case outrun
  }

  /// Reads all, takes what is later there and writes what is later here.
  private mutating func look(
    _ node: some SharedChanges, _ store: inout some ExchangeStore, at now: Timestamp
  ) throws(PassFailure) -> Outcome {
    let found = try store.answers(to: [command("HGETALL")])[0]
    if let refusal = found.refusal { return .fault(refused(refusal)) }
    guard let fields = found.array, fields.count <= Self.mostFields else {
      return .fault("the hash holds more than any fleet writes")
    }
    let stored = StoredChanges(fields)
    do throws(ChangesNotKept) {
      try node.hear(stored.changes.values.filter { !$0.isForgotten(at: now) })
    } catch {
      return .fault(error.reason)
    }
    return try write(node, stored, at: now, &store)
  }

  /// Writes what the store lacks, and takes out what was over long ago.
  private mutating func write(
    _ node: some SharedChanges, _ stored: StoredChanges, at now: Timestamp,
    _ store: inout some ExchangeStore
  ) throws(PassFailure) -> Outcome {
    // Before the changes: one that comes now is told next time.
    let edition = node.changesEdition
    let missing = node.heldChanges.filter { change in
      if change.isForgotten(at: now) { return false }
      return stored.changes[change.register].map { change.holds(over: $0) } ?? true
    }
    let over = stored.changes.values.filter { $0.isForgotten(at: now) }.map(\.register)
    var word = stored.word
    let calls = calls(missing, over, after: &word)
    for reply in try store.answers(to: calls, of: Self.script) {
      if let refusal = reply.refusal { return .fault(refused(refusal)) }
      guard case .integer(1) = reply else { return .outrun }
    }
    (seen, told) = (.word(word), edition)
    return .done
  }

  /// The calls that write, each on the word of the one before; `word` becomes the last one's.
  private func calls(
    _ missing: [BudgetChange], _ over: [BudgetChange.Register], after word: inout [UInt8]?
  ) -> [RedisScriptCall] {
    var calls: [RedisScriptCall] = []
    for start in stride(from: 0, to: max(missing.count, over.count), by: Self.writtenAtOnce) {
      let range = start..<(start + Self.writtenAtOnce)
      let gone = over[range.clamped(to: over.indices)].map { StoredChanges.field($0) }
      let new = missing[range.clamped(to: missing.indices)].flatMap {
        [StoredChanges.field($0.register), Array($0.text.utf8)]
      }
      let next = Array(makeWord().utf8)
      calls.append(
        RedisScriptCall(
          keys: [key], arguments: [word ?? [], next, Array("\(gone.count)".utf8)] + gone + new))
      word = next
    }
    return calls
  }

  private func command(_ name: String, _ rest: [UInt8]...) -> [[UInt8]] {
    [Array(name.utf8), key] + rest
  }

  /// A key that this node may not touch costs only the exchange; a store that refuses everything is the
  /// pass's to find.
  private mutating func refused(_ refusal: RedisRefusal) -> String {
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
