import BudgetModel
import NodeFixture
import Reconciliation
import RedisStore

@testable import BudgetFleet

/// A store without any budgets' keys that answers as it is told, in virtual time.
final class ScriptedLink: FleetLink {
  private(set) var isConnected = false
  private(set) var lastRoundTrip = Duration.zero
  /// The error of each attempt to connect, the first one first; then they succeed.
  var connecting: [RedisError] = []
  /// The error of each call, the first one first, nil: none; then they succeed.
  var calling: [RedisError?] = []
  var facts = ServerFacts()
  /// The answer to the count of nodes.
  var nodes = RedisValue.integer(2)
  /// How long a call takes.
  var callDuration = Duration.zero
  private(set) var connects = 0
  private(set) var calls = 0
  private let fixture: MemberFixture
  /// The store's clock less the fixture's.
  var ahead = Duration.zero

  init(_ fixture: MemberFixture) { self.fixture = fixture }

  func connect() throws(RedisError) -> ServerFacts {
    connects += 1
    if !connecting.isEmpty { throw connecting.removeFirst() }
    isConnected = true
    isRenewed = true
    return facts
  }

  func disconnect() { isConnected = false }

  /// The passes and calls that have begun, the first one first.
  private(set) var begun: [Step] = []
  enum Step { case pass, call }

  func beginPass() { begun.append(.pass) }

  func beginCall() { begun.append(.call) }

  func takeRenewal() -> Bool {
    defer { isRenewed = false }
    return isRenewed
  }

  private var isRenewed = false

  var health = StoreHealth()

  func perform(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisValue] {
    calls += 1
    fixture.advance(callDuration)
    if !calling.isEmpty, let error = calling.removeFirst() { throw error }
    return commands.map { answer(String(decoding: $0[0], as: UTF8.self)) }
  }

  func evaluate(_ calls: [RedisScriptCall]) throws(RedisError) -> [RedisValue] { [] }

  func evaluate(
    _ script: RedisScript, _ calls: [RedisScriptCall]
  ) throws(RedisError) -> [RedisValue] {
    calls.map { _ in .integer(1) }
  }

  var linksMade: Int { connects }

  private func answer(_ command: String) -> RedisValue {
    switch command {
    case "TIME":
      let now = fixture.time.now().unixMilliseconds + ahead.wholeMilliseconds
      return .array([
        .bytes(Array("\(now / 1_000)".utf8)), .bytes(Array("\(now % 1_000 * 1_000)".utf8)),
      ])
    case "ZCOUNT": return nodes
    default: return .integer(1)
    }
  }
}
