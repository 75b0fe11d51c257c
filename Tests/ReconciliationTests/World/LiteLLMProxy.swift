import BudgetModel
import Reconciliation
import RedisStore
import SeededRandom

/// A LiteLLM proxy beside the nodes, as 1.106.2 behaves: its own clock, start keys and spend set
/// without NX, increments queued and flushed with an expiry that can be none.
final class LiteLLMProxy {
  private struct Start {
    /// Seconds since 1970 by the clock of the host that wrote it.
    var seconds: Double
    /// Until then memory has it, store's clock.
    var knownUntil: Int64
  }

  private unowned let world: World
  private let place: Int
  private var skewMilliseconds: Int64
  private var starts: [Start?]
  private var queue: [(budget: Int, cost: PicoUSD, seconds: Int64)] = []
  private var isBooted = false
  /// How often each of the ways happened in which LiteLLM harms its own windows.
  private(set) var overwrites = 0

  init(place: Int, world: World) {
    self.place = place
    self.world = world
    let skew = world.random.pick(world.scenario.proxySkews)
    skewMilliseconds = Int64(skew) * (world.strikes(0.5) ? 1_000 : -1_000)
    starts = Array(repeating: nil, count: world.budgets.count)
  }

  private var now: Double { Double(world.redis.now + skewMilliseconds) / 1_000 }

  private func length(_ budget: Int) -> Int64 {
    world.budgets[budget].rule.window(at: Timestamp(unixMilliseconds: 0)).end
      .unixMilliseconds / 1_000
  }

  /// One of the things that a proxy does.
  func act() {
    guard isBooted else { return boot() }
    switch world.random.below(20) {
    case ..<11: charge(world.random.below(world.budgets.count))
    case ..<19: flush()
    default: restart()
    }
  }

  /// It charges nothing more.
  func heal() { flush() }

  private func restart() {
    world.note("proxy \(place) restarts")
    starts = starts.map { _ in nil }
    queue = []
    isBooted = false
  }

  private func send(_ words: String...) -> String? {
    world.note("proxy \(place): \(words.joined(separator: " "))")
    let reply = world.apply(.command(words.map { Array($0.utf8) }))
    world.watch.adds += 1
    if world.strikes(0.3) { world.interleave() }
    return reply.bytes.map { String(decoding: $0, as: UTF8.self) }
  }

  private func boot() {
    isBooted = true
    for (budget, definition) in world.budgets.enumerated()
    where definition.key.scope == .provider {
      let seconds = "\(length(budget))"
      if send("GET", world.starts[budget]) == nil {
        _ = send("SET", world.starts[budget], now.pythonText, "EX", seconds)
      }
      if send("GET", world.spends[budget]) == nil {
        _ = send("SET", world.spends[budget], "0.0", "EX", seconds)
      }
    }
  }

  private func start(_ budget: Int) -> Double {
    if let known = starts[budget], known.knownUntil >= world.redis.now { return known.seconds }
    let found = send("GET", world.starts[budget]).flatMap(Double.init)
    let seconds = found ?? now
    if found == nil {
      _ = send("SET", world.starts[budget], seconds.pythonText, "EX", "\(length(budget))")
    }
    let memory = found == nil ? length(budget) : 600
    starts[budget] = Start(
      seconds: seconds, knownUntil: world.redis.now + 1_000 * min(memory, length(budget)))
    return seconds
  }

  private func charge(_ budget: Int) {
    let cost = world.amount()
    let begun = start(budget)
    let time = now
    let elapsed = time - begun
    guard elapsed > Double(length(budget)) else {
      queue.append((budget, cost, Int64(Double(length(budget)) - elapsed)))
      return
    }
    overwrites += 1
    world.watch.foreign[budget] += cost
    _ = send("SET", world.spends[budget], cost.pythonText, "EX", "\(length(budget))")
    _ = send("SET", world.starts[budget], time.pythonText, "EX", "\(length(budget))")
    starts[budget] = Start(
      seconds: time, knownUntil: world.redis.now + 1_000 * length(budget))
  }

  /// Not one transaction: it may be cut anywhere, and what was cut is sent again.
  func flush() {
    while let (budget, cost, seconds) = queue.first {
      guard !world.strikes(world.faults.network) else { return }
      world.watch.foreign[budget] += cost
      _ = send("INCRBYFLOAT", world.spends[budget], cost.pythonText)
      guard !world.strikes(world.faults.network) else { return }
      _ = send("EXPIRE", world.spends[budget], "\(seconds)")
      if !queue.isEmpty { queue.removeFirst() }
    }
  }
}
