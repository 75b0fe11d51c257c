import Reconciliation
import Testing

extension Scenario: CustomTestStringConvertible {
  var testDescription: String { name }

  static let all: [Scenario] = [
    network, failover, flush, lostKeys, lostMarks, resets, reloads, rollover, rolloverWithLosses,
    rolloverWithResets, besideLiteLLM, liteLLMRollover, liteLLMClocks, everything, clockJumps,
    calendars, dynamic, dynamicCalendars, dynamicRollover, cluster, clusterRollover,
    clusterDynamic,
  ]

  private static let crashing = Faults(
    network: 0.1, crash: 0.02, crashInPass: 0.01, ledger: 0.03, acknowledgement: 0.2)

  static let network = Scenario(
    name: "network", faults: crashing, foreign: 0.02, isSpendKeyExact: true)

  static let failover: Scenario = {
    var scenario = Scenario(name: "failover", faults: crashing, foreign: 0.02)
    scenario.faults.failover = 0.02
    return scenario
  }()

  static let flush: Scenario = {
    var scenario = failover
    scenario.name = "flush"
    scenario.faults.flush = 0.01
    return scenario
  }()

  static let lostKeys: Scenario = {
    var scenario = flush
    scenario.name = "lost keys"
    scenario.faults.spendKeyLoss = 0.01
    scenario.faults.startKeyLoss = 0.01
    return scenario
  }()

  /// Markers go while no push is in doubt: nothing is counted twice.
  static let lostMarks = Scenario(
    name: "lost markers",
    faults: Faults(ledger: 0.03, acknowledgement: 0.2, markLoss: 0.02), foreign: 0.02)

  static let reloads: Scenario = {
    var scenario = failover
    scenario.name = "reloads"
    scenario.reload = 0.03
    return scenario
  }()

  static let resets = Scenario(
    name: "resets", faults: crashing, foreign: 0.02, reset: 0.02, isSpendKeyBounded: false)

  static let rollover = Scenario(
    name: "rollover", steps: 400, faults: crashing, lengths: [7, 20], foreign: 0.02,
    isSpendKeyBounded: false)

  static let rolloverWithResets: Scenario = {
    var scenario = rolloverWithLosses
    scenario.name = "rollover with resets"
    scenario.reset = 0.02
    scenario.nodeSkew = 2_000
    return scenario
  }()

  static let rolloverWithLosses: Scenario = {
    var scenario = rollover
    scenario.name = "rollover with losses"
    scenario.faults = lostKeys.faults
    scenario.faults.markLoss = 0.01
    return scenario
  }()

  /// Windows of a calendar, which have no start key, under every fault of the store.
  static let calendars: Scenario = {
    var scenario = Scenario(
      name: "calendars", steps: 400, faults: lostKeys.faults, lengths: [7, 20], isCalendar: true,
      foreign: 0.02, isSpendKeyBounded: rolloverWithLosses.isSpendKeyBounded)
    scenario.faults.markLoss = 0.01
    return scenario
  }()

  /// Budgets of patterns, under every fault of the store; a reload makes entries of some.
  static let dynamic: Scenario = {
    var scenario = Scenario(
      name: "dynamic", steps: 400, faults: lostKeys.faults, isDynamic: true, foreign: 0.02,
      isSpendKeyBounded: rolloverWithLosses.isSpendKeyBounded)
    scenario.reload = 0.01
    scenario.settings = { $0.longestNewsWait = .seconds(3) }
    return scenario
  }()

  /// Those of a calendar, whose windows nobody has to agree on.
  static let dynamicCalendars: Scenario = {
    var scenario = calendars
    scenario.name = "dynamic calendars"
    scenario.isDynamic = true
    scenario.reload = 0.01
    scenario.settings = { $0.longestNewsWait = .seconds(2) }
    return scenario
  }()

  static let dynamicRollover: Scenario = {
    var scenario = rolloverWithLosses
    scenario.name = "dynamic rollover"
    scenario.isDynamic = true
    scenario.settings = { $0.longestNewsWait = .seconds(2) }
    return scenario
  }()

  /// The store's clock goes off by hours or days, for less than a minute: no window ends or begins.
  static let clockJumps = Scenario(
    name: "clock jumps",
    faults: Faults(network: 0.1, crash: 0.02, ledger: 0.03, acknowledgement: 0.2),
    clockJump: 0.02)

  /// LiteLLM within one window: boots, increments, lost start keys.
  static let besideLiteLLM: Scenario = {
    var scenario = Scenario(name: "beside LiteLLM", faults: crashing, proxies: 2)
    scenario.faults.startKeyLoss = 0.005
    scenario.proxySkews = [0, 2]
    return scenario
  }()

  /// LiteLLM over many windows: carried over, deleted and overwritten spend keys.
  static let liteLLMRollover = Scenario(
    name: "LiteLLM rollover", steps: 400, faults: crashing, lengths: [7, 20], proxies: 3,
    proxySkews: [0, 0, 2], isSpendKeyBounded: false)

  /// Hosts with clocks minutes off.
  static let liteLLMClocks: Scenario = {
    var scenario = liteLLMRollover
    scenario.name = "LiteLLM clocks"
    scenario.proxySkews = [0, 2, 300]
    scenario.lengths = [7, 20, 400]
    scenario.nodeSkew = 2_000
    return scenario
  }()

  static let everything: Scenario = {
    var scenario = liteLLMClocks
    scenario.name = "everything"
    scenario.reload = 0.01
    scenario.faults = rolloverWithLosses.faults
    scenario.reset = 0.01
    scenario.nodeSkew = 300_000
    return scenario
  }()

  /// A node of the store is away in one message of four: what its budgets have waits, and nothing of
  /// theirs or of others' is lost or counted twice.
  static let cluster: Scenario = {
    var scenario = network
    scenario.name = "cluster"
    scenario.isCluster = true
    scenario.faults.nodeAway = 0.25
    return scenario
  }()

  static let clusterRollover: Scenario = {
    var scenario = rollover
    scenario.name = "cluster rollover"
    scenario.isCluster = true
    scenario.faults.nodeAway = 0.25
    return scenario
  }()

  static let clusterDynamic: Scenario = {
    var scenario = dynamic
    scenario.name = "cluster dynamic"
    scenario.isCluster = true
    scenario.faults.nodeAway = 0.25
    return scenario
  }()
}
