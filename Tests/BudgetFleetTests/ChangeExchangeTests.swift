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
  /// The store: one hash, and what happens on the way to it.
  private final class Store: ExchangeStore {
    let hash = VirtualHash()
    var snapshot: [[UInt8]: [UInt8]] = [:]
    /// Called before each call: others' calls come in between.
    var between: () -> Void = {}
    /// Whether the next call is lost before, or after it was done.
    var loses: () -> (before: Bool, after: Bool) = { (false, false) }
    var refusal: RedisRefusal?
    let lastRoundTrip = Duration.zero
    let linksMade = 1

    var fields: [[UInt8]: [UInt8]] {
      get { hash.fields }
      set { hash.fields = newValue }
    }

    func perform(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisValue] {
      #expect(commands.allSatisfy { $0[1] == Array("budgetd:policy".utf8) })
      return try answers(commands.count) { commands.map(hash.answer) }
    }

    func evaluate(_ calls: [RedisScriptCall]) throws(RedisError) -> [RedisValue] { [] }

    func evaluate(
      _ script: RedisScript, _ calls: [RedisScriptCall]
    ) throws(RedisError) -> [RedisValue] {
      #expect(calls.allSatisfy { $0.keys == [Array("budgetd:policy".utf8)] })
      return try answers(calls.count) { hash.evaluate(script, calls) }
    }

    private func answers(
      _ count: Int, _ work: () -> [RedisValue]
    ) throws(RedisError) -> [RedisValue] {
      between()
      let (before, after) = loses()
      if before { throw .closed }
      if let refusal { return Array(repeating: .error(refusal), count: count) }
      let replies = work()
      if after { throw .closed }
      return replies
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
    /// Nodes whose pass is under way: each has one thread.
    var underWay: Set<Int> = []

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
      guard underWay.insert(place).inserted else { return }
      defer { underWay.remove(place) }
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
      guard world.random.chance(0.3) else { return }
      if world.random.chance(0.5) { world.make() } else { world.pass(world.random.below(3)) }
    }
    world.store.loses = { [unowned world] in
      (world.random.chance(0.1), world.random.chance(0.1))
    }
    for _ in 0..<80 { world.step() }
    world.store.loses = { (false, false) }
    // Passes of others still come in the middle of each.
    world.store.between = { [unowned world] in
      if world.random.chance(0.5) { world.pass(world.random.below(3)) }
    }
    let wanted = ChangeTable(world.made)
    // Two passes of each.
    for place in [0, 1, 2, 0, 1, 2] { world.pass(place) }
    for node in world.nodes {
      #expect(node.table == wanted, "seed \(seed), \(node.name)")
    }
    world.store.between = {}
    // From here on nothing is new: one command a pass.
    for place in 0..<3 { world.pass(place) }
    let before = world.store.hash.commands
    for place in 0..<3 { world.pass(place) }
    #expect(world.store.hash.commands["HGET", default: 0] == before["HGET", default: 0] + 3)
    #expect(world.store.hash.commands["HGETALL"] == before["HGETALL"], "seed \(seed)")
    #expect(world.store.hash.commands["HSET"] == before["HSET"], "seed \(seed)")
  }

  /// Two nodes read, then both write: nobody writes over what it has not read.
  @Test func whatComesInBetweenIsNotMissed() {
    let world = World(seed: 1)
    var random = SeededRandom(seed: 7)
    let older = Self.change(1, by: world.nodes[0], skew: 0, &random)
    let version = ChangeVersion(milliseconds: older.version.milliseconds + 1, node: "n2")
    let newer = BudgetChange(
      older.register, .limit(PicoUSD(dollars: 99)), by: Self.author, at: Self.start,
      version: version)
    world.nodes[0].take(older)
    world.nodes[1].take(newer)
    var calls = 0
    world.store.between = { [unowned world] in
      calls += 1
      // Between node 0's reading and its writing.
      if calls == 3 { world.pass(1) }
    }
    world.pass(0)
    #expect(world.store.hash.commands["HGETALL"] == 3, "it has read again")
    world.pass(2)
    for node in world.nodes { #expect(Array(node.table.all) == [newer], "\(node.name)") }
  }

  /// More than one call writes them all.
  @Test func manyChangesGoInSeveralCalls() {
    let world = World(seed: 1)
    for number in 0..<1_200 {
      let register = BudgetChange.Register(
        .limit, BudgetKey(scope: .tag, name: "t\(number)", windowText: "1d"))
      let version = ChangeVersion(milliseconds: Self.start.unixMilliseconds, node: "n1")
      world.nodes[0].take(
        BudgetChange(
          register, .limit(PicoUSD(dollars: 1)), by: Self.author, at: Self.start, version: version))
    }
    for place in [0, 1] { world.pass(place) }
    #expect(world.nodes[1].table == world.nodes[0].table && world.nodes[1].table.count == 1_200)
    let before = world.store.hash.commands["HGETALL"]
    world.pass(0)
    #expect(world.store.hash.commands["HGETALL"] == before, "it knows what it has written")
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
