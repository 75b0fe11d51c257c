import Reconciliation
import RedisStore
import SeededRandom

/// One link of a node to the store, over a network that loses, repeats and delays.
struct SimulatedStore: FleetStore {
  let world: World
  let node: SimulatedNode
  let life: Int
  private(set) var lastRoundTrip = Duration.zero

  init(world: World, node: SimulatedNode) {
    self.world = world
    self.node = node
    life = node.life
  }

  mutating func perform(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisValue] {
    try exchange(commands.map { .command(world.scenario.command($0)) })
  }

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
    for message in messages[..<applied] {
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
}
