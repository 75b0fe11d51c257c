import Reconciliation
import RedisStore
import SeededRandom

/// One link of a node to the store, over a network that loses, repeats and delays.
struct SimulatedStore: FleetStore {
  let world: World
  let node: SimulatedNode
  let life: Int
  private(set) var lastRoundTrip = Duration.zero
  var readBound: Int { world.readBound }

  init(world: World, node: SimulatedNode) {
    self.world = world
    self.node = node
    life = node.life
  }

  mutating func perform(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisValue] {
    try exchange(commands.map { .command(world.scenario.command($0)) })
  }

  mutating func perform(
    _ commands: [[[UInt8]]], reading keys: [[UInt8]]
  ) throws(RedisError) -> (replies: [RedisValue], values: [RedisValue]) {
    // A cluster has no command for keys of several slots.
    let reads =
      world.scenario.isCluster
      ? keys.map { [Array("GET".utf8), $0] }
      : stride(from: 0, to: keys.count, by: readBound).map {
        [Array("MGET".utf8)] + keys[$0..<min($0 + readBound, keys.count)]
      }
    let replies = try perform(commands + reads)
    let found = Array(replies[commands.count...])
    return (
      Array(replies[..<commands.count]),
      world.scenario.isCluster ? found : found.flatMap { $0.array ?? [] }
    )
  }

  func slot(of key: [UInt8]) -> Int { world.scenario.isCluster ? RedisSlot.of(key) : 0 }

  mutating func evaluate(_ calls: [RedisScriptCall]) throws(RedisError) -> [RedisValue] {
    try exchange(calls.map { .script($0) })
  }

  private mutating func exchange(_ messages: [Message]) throws(RedisError) -> [RedisValue] {
    let sent = world.redis.now
    world.pass(milliseconds: world.latency())
    world.interleave()
    guard node.life == life else { throw .closed }
    let count = messages.count
    var applied = count
    var isLost = false
    if world.strikes(world.faults.network) {
      isLost = true
      switch world.random.below(4) {
      case 0: applied = 0
      case 1: break
      case 2: applied = world.random.below(count + 1)
      default:
        applied = 0
        world.delay(messages)
      }
      world.note("node \(node.place): \(applied) of \(count) applied, reply lost")
    }
    var replies: [RedisValue] = []
    let away = world.strikes(world.faults.nodeAway) ? world.random.below(3) : nil
    if let away { world.note("node \(node.place): master \(away) is away") }
    for message in messages[..<applied] {
      if let key = message.key, let away, RedisSlot.of(key) % 3 == away {
        // Nobody knows what it did of it.
        if world.strikes(0.5) { _ = world.apply(message) }
        replies.append(.error(RedisRefusal(kind: .nodeAway, text: "away")))
        continue
      }
      replies.append(world.apply(message))
      // Others' commands come between those of a pipeline.
      if world.strikes(0.05) { world.interleave() }
    }
    world.pass(milliseconds: world.latency())
    if world.strikes(world.faults.crashInPass) { world.crash(node) }
    world.interleave()
    guard node.life == life, !isLost else { throw .closed }
    lastRoundTrip = .milliseconds(world.redis.now - sent)
    return replies
  }
}

/// A message on its way to the store.
enum Message {
  case command([[UInt8]])
  case script(RedisScriptCall)

  /// The key that says which node of a cluster it is for; nil: any.
  var key: [UInt8]? {
    switch self {
    case .command(let words): words.count > 1 ? words[1] : nil
    case .script(let call): call.keys.first
    }
  }
}
