import BudgetModel
import Locks
import Reconciliation
import RedisStore
import SeededRandom
import Testing

@testable import BudgetFleet

/// Nodes that change limits at the same time over a store that loses, forgets and interrupts: in the
/// end all hold the same, and it is the last of what was made.
@Suite struct ChangeExchangeTests {
  /// One hash, as Redis keeps it.
  private final class Store: FleetStore {
    var fields: [[UInt8]: [UInt8]] = [:]
    var snapshot: [[UInt8]: [UInt8]] = [:]
    /// Called before each call: others' calls come in between.
    var between: () -> Void = {}
    /// Whether the next call is lost before, or after it was done.
    var loses: () -> (before: Bool, after: Bool) = { (false, false) }
    var refusal: RedisRefusal?
    private(set) var commands: [String: Int] = [:]
    let lastRoundTrip = Duration.zero

    func perform(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisValue] {
      between()
      let (before, after) = loses()
      if before { throw .closed }
      let replies = commands.map(perform)
      if after { throw .closed }
      return replies
    }

    func evaluate(_ calls: [RedisScriptCall]) throws(RedisError) -> [RedisValue] { [] }

    private func perform(_ command: [[UInt8]]) -> RedisValue {
      let name = String(decoding: command[0], as: UTF8.self)
      commands[name, default: 0] += 1
      if let refusal { return .error(refusal) }
      #expect(command[1] == Array("budgetd:policy".utf8))
      switch name {
      case "HGET": return fields[command[2]].map { .bytes($0) } ?? .null
      case "HGETALL": return .array(fields.flatMap { [.bytes($0.key), .bytes($0.value)] })
      case "HDEL":
        for field in command[2...] { fields[field] = nil }
        return .integer(1)
      case "HSET":
        for index in stride(from: 2, to: command.count, by: 2) {
          fields[command[index]] = command[index + 1]
        }
        return .integer(1)
      default:
        Issue.record("\(name) is not a command of the exchange")
        return .null
      }
    }
  }

  private final class Node: SharedChanges {
    struct State {
      var table = ChangeTable()
      var edition: UInt64 = 0
      var isBroken = false
    }

    let name: String
    let state = Locked(State())

    init(_ name: String) { self.name = name }

    var changesEdition: UInt64 { state.withLock { $0.edition } }
    var heldChanges: [BudgetChange] { state.withLock { Array($0.table.all) } }
    var table: ChangeTable { state.withLock { $0.table } }
    let resets: [BudgetKey: Timestamp] = [:]

    func inTurn<Result>(_ work: () -> Result) -> Result { work() }

    func hear(_ changes: [BudgetChange]) throws(ChangesNotKept) {
      let isBroken = state.withLock { $0.isBroken }
      if isBroken { throw ChangesNotKept("the disk is full") }
      for change in changes { take(change) }
    }

    func take(_ change: BudgetChange) {
      state.withLock { if $0.table.merge(change) { $0.edition += 1 } }
    }
  }

  private static let start = Timestamp(unixMilliseconds: 1_800_000_000_000)
  private static let author = ChangeAuthor(name: "ops", place: "here")

  private static func change(
    _ number: Int, by node: Node, skew: Int64, _ random: inout SeededRandom
  ) -> BudgetChange {
    let isMode = random.chance(0.3)
    let register = BudgetChange.Register(
      isMode ? .mode : .limit,
      BudgetKey(
        scope: .provider, name: random.pick(["a", "b:c"]), windowText: isMode ? "" : "1d"))
    let now = Timestamp(unixMilliseconds: start.unixMilliseconds + skew)
    let setting: BudgetChange.Setting =
      random.chance(0.3)
      ? .cleared
      : isMode
        ? .mode(random.pick(BudgetMode.allCases)) : .limit(PicoUSD(dollars: Int64(number)))
    return BudgetChange(
      register, setting, by: author, at: now,
      version: ChangeVersion(
        at: now, replacing: node.table[register]?.version, by: node.name))
  }

  private final class World {
    let store = Store()
    let nodes = (1...3).map { Node("n\($0)") }
    var exchanges: [ChangeExchange] = []
    var made: [BudgetChange] = []
    var random: SeededRandom
    var depth = 0

    init(seed: UInt64) {
      random = SeededRandom(seed: seed)
      var words = 0
      exchanges = nodes.map { _ in
        ChangeExchange(RedisKeys(namespace: nil)) {
          words += 1
          return "w\(words)"
        }
      }
    }

    func make() {
      let node = random.pick(nodes)
      // Clocks are some milliseconds apart, and time hardly passes.
      let change = ChangeExchangeTests.change(
        made.count, by: node, skew: Int64(random.below(4)), &random)
      made.append(change)
      node.take(change)
    }

    func pass(_ place: Int) {
      var store = store
      var exchange = exchanges[place]
      do throws(PassFailure) {
        _ = try exchange.pass(nodes[place], &store, at: ChangeExchangeTests.start)
      } catch {
        #expect(error == .store(.closed))
      }
      exchanges[place] = exchange
    }

    func step() {
      switch random.below(12) {
      case 0...3: make()
      case 4: store.fields = [:]
      case 5: store.snapshot = store.fields
      // A replica that had not heard of the last writes is the master now.
      case 6: store.fields = store.snapshot
      default: pass(random.below(3))
      }
    }
  }

  @Test(arguments: 0..<400)
  func allHoldTheLastOfWhatWasMade(seed: UInt64) {
    let world = World(seed: seed)
    world.store.between = { [unowned world] in
      guard world.depth < 2, world.random.chance(0.3) else { return }
      world.depth += 1
      // Never of a node whose pass is under way: each has one thread.
      if world.random.chance(0.5) { world.make() }
      world.depth -= 1
    }
    world.store.loses = { [unowned world] in
      (world.random.chance(0.1), world.random.chance(0.1))
    }
    for _ in 0..<80 { world.step() }
    world.store.loses = { (false, false) }
    world.store.between = {}
    let wanted = ChangeTable(world.made)
    // Two passes of each.
    for place in [0, 1, 2, 0, 1, 2] { world.pass(place) }
    for node in world.nodes {
      #expect(node.table == wanted, "seed \(seed), \(node.name)")
    }
    // From here on nothing is new: one command a pass.
    for place in 0..<3 { world.pass(place) }
    let before = world.store.commands
    for place in 0..<3 { world.pass(place) }
    #expect(world.store.commands["HGET", default: 0] == before["HGET", default: 0] + 3)
    #expect(world.store.commands["HGETALL"] == before["HGETALL"], "seed \(seed)")
    #expect(world.store.commands["HSET"] == before["HSET"], "seed \(seed)")
  }

  /// Two nodes read, then both write: the change of one must not be missing on the other.
  @Test func whatComesInBetweenIsNotMissed() {
    let world = World(seed: 1)
    var random = SeededRandom(seed: 7)
    world.nodes[0].take(Self.change(1, by: world.nodes[0], skew: 0, &random))
    var calls = 0
    world.store.between = { [unowned world] in
      calls += 1
      // Between node 0's reading and its writing.
      guard calls == 3 else { return }
      var random = SeededRandom(seed: 99)
      let change = Self.change(2, by: world.nodes[1], skew: 3, &random)
      world.nodes[1].take(change)
      world.made.append(change)
      world.pass(1)
    }
    world.pass(0)
    world.store.between = {}
    for place in [0, 1, 0] { world.pass(place) }
    #expect(world.nodes[0].table == world.nodes[1].table)
    #expect(world.nodes[0].table.count == 2)
  }

  @Test func aNodeThatCannotKeepTakesNothing() {
    let world = World(seed: 1)
    var random = SeededRandom(seed: 7)
    world.nodes[0].take(Self.change(1, by: world.nodes[0], skew: 0, &random))
    world.pass(0)
    world.nodes[1].state.withLock { $0.isBroken = true }
    var store = world.store
    #expect(throws: Never.self) {
      let fault = try world.exchanges[1].pass(world.nodes[1], &store, at: Self.start)
      #expect(fault == "the disk is full")
    }
    #expect(world.nodes[1].table.count == 0)
    world.nodes[1].state.withLock { $0.isBroken = false }
    world.pass(1)
    #expect(world.nodes[1].table == world.nodes[0].table)
  }

  @Test func aKeyThatMayNotBeTouchedIsAFaultAlone() throws {
    let world = World(seed: 1)
    var store = world.store
    world.store.refusal = RedisRefusal(kind: .noPermission, text: "NOPERM no")
    #expect(
      try world.exchanges[0].pass(world.nodes[0], &store, at: Self.start)?.contains("NOPERM")
        == true
    )
    world.store.refusal = nil
    #expect(try world.exchanges[0].pass(world.nodes[0], &store, at: Self.start) == nil)
  }

  @Test func strangersTextsAreLeftAlone() {
    let world = World(seed: 1)
    var random = SeededRandom(seed: 7)
    let change = Self.change(1, by: world.nodes[0], skew: 0, &random)
    world.store.fields = [
      Array("limit:provider:1d:x".utf8): Array("2\tlater".utf8),
      // Under another field than its own.
      Array("limit:provider:1d:y".utf8): Array(change.text.utf8), Array("z".utf8): [0xFF, 0],
    ]
    for place in [0, 1] { world.pass(place) }
    #expect(world.nodes[0].table.count == 0 && world.store.fields.count == 3)
  }

  @Test func whatWasOverLongAgoIsTakenOut() {
    let world = World(seed: 1)
    let cleared = BudgetChange(
      .init(.limit, BudgetKey(scope: .tag, name: "t", windowText: "1d")), .cleared,
      by: Self.author,
      at: Timestamp(
        unixMilliseconds: Self.start.unixMilliseconds - ChangeTable.keptAfterEnd - 1),
      version: ChangeVersion(milliseconds: 1, node: "n"))
    let field = Array("limit:tag:1d:t".utf8)
    world.store.fields = [field: Array(cleared.text.utf8)]
    world.pass(0)
    #expect(world.nodes[0].table.count == 0 && world.store.fields[field] == nil)
    world.nodes[0].take(cleared)
    for _ in 0..<2 { world.pass(0) }
    #expect(world.store.fields[field] == nil)
  }
}
