import BudgetModel
import Reconciliation
import Testing

/// A fleet with reservations: its traffic, and what goes wrong. Times are seconds from the beginning.
struct ClaimScenario: Sendable, CustomTestStringConvertible {
  var testDescription: String { name }
  var name: String
  var nodes = 3
  var mode = ClaimMode.strict
  /// Dollars of each budget. A request is charged to the first, and to one of the others if there are.
  var limits = [1.2]
  /// Requests a second of each node.
  var rate = 12.0
  var meanCost = 0.01
  var sigma = 0.8
  /// How long a request takes, at most four times.
  var latency = 0.7
  /// How long traffic goes on, as a part of what exhausts the first budget.
  var traffic = 1.5
  /// Twenty requests at once, of the mean cost each, in place of traffic.
  var isBurst = false
  var windowSeconds = 1_000_000
  /// Of messages.
  var loss = 0.0
  var outage: ClosedRange<Double>?
  var flush: Double?
  /// The claims' key goes.
  var claimLoss: Double?
  /// The first node is cut off.
  var cut: ClosedRange<Double>?
  /// The first node's disk stands still.
  var stall: ClosedRange<Double>?
  /// The second node dies, and is back after so long.
  var crash: Double?
  var back: Double?
  /// Only others' spend, of increments a second.
  var foreign = 0.0
  /// The first node stops reserving after so long.
  var idle: Double?
  /// Whether amounts are what requests cost at most.
  var amountsAreGreatest = false
  /// How many of ten requests are settled on another node than the one that reserved for them.
  var elsewhere = 0
  /// Whether the budgets are names', of patterns: of what is left a small part needs no ceiling.
  var isNamed = false
  /// Whether names of reservations that ended elsewhere are lost.
  var losesMail = false
  /// One node is of the release before: it sends two keys and denies by spend alone.
  var hasOldNode = false
  var terms: @Sendable (inout ClaimTerms) -> Void = { _ in }

  static let all: [ClaimScenario] = [
    plain, greatest, many, burst, idle, dies, restarts, away, cut, emptied, flushed, lostClaims,
    lossy, storm, foreign, rollover, shared, sharedLossy, old, elsewhere, mailLost,
    named, namedLossy, stalled, stalledLossy,
    stalledElsewhere,
  ]

  static let plain = ClaimScenario(name: "plain")
  static let greatest = ClaimScenario(name: "greatest costs", amountsAreGreatest: true)
  static let many = ClaimScenario(
    name: "several budgets", nodes: 4, limits: [2.4, 0.4, 0.4, 0.4, 9])
  static let burst = ClaimScenario(
    name: "burst", limits: [500], meanCost: 75, sigma: 0, latency: 3, isBurst: true)
  static let idle = ClaimScenario(name: "idle node", idle: 1)
  static let dies = ClaimScenario(name: "a node dies", crash: 2)
  static let restarts = ClaimScenario(name: "a node restarts", crash: 2, back: 1)
  static let away = ClaimScenario(name: "the store is away", traffic: 2, outage: 2...6)
  /// Claims have to outlive the holds under them: here those last for long.
  static let cut = ClaimScenario(
    name: "a node is cut off", limits: [1.8], latency: 4, traffic: 2.5, cut: 1.5...60,
    terms: {
      $0.useTime = .seconds(2)
      $0.lifeMargin = .seconds(1)
      $0.holdTime = .seconds(20)
    })
  static let stalled = ClaimScenario(name: "a disk stands still", stall: 1.5...4.5)
  static let stalledLossy = ClaimScenario(
    name: "a disk stands still, lost calls", loss: 0.05, stall: 1...4)
  static let stalledElsewhere = ClaimScenario(
    name: "a disk stands still, settled elsewhere", limits: [2.4], traffic: 2, stall: 2...5,
    elsewhere: 5, terms: { $0.holdTime = .seconds(30) })
  static let emptied = ClaimScenario(
    name: "away and back empty", traffic: 2, outage: 2...3, flush: 2.5)
  static let flushed = ClaimScenario(name: "flush", flush: 2)
  static let lostClaims = ClaimScenario(name: "claims are lost", claimLoss: 2)
  static let lossy = ClaimScenario(name: "lost and late calls", loss: 0.05)
  static let storm = ClaimScenario(
    name: "storm", nodes: 4, loss: 0.15, crash: 2, back: 1)
  static let foreign = ClaimScenario(name: "others spend", foreign: 12)
  static let rollover = ClaimScenario(name: "windows end", limits: [0.5], windowSeconds: 5)
  static let shared = ClaimScenario(name: "shared", mode: .shared)
  static let sharedLossy = ClaimScenario(
    name: "shared, lost calls", mode: .shared, loss: 0.05, crash: 2, back: 1)
  /// Holds would last for long, if their nodes did not hear of their ends.
  static let elsewhere = ClaimScenario(
    name: "settled elsewhere", limits: [2.4], traffic: 2, elsewhere: 5,
    terms: { $0.holdTime = .seconds(30) })
  static let mailLost = ClaimScenario(
    name: "settled elsewhere, untold", elsewhere: 3, losesMail: true)
  static let named = ClaimScenario(name: "names' budgets", limits: [1.2, 0.5], isNamed: true)
  static let namedLossy = ClaimScenario(
    name: "names' budgets, lost calls, a crash", loss: 0.05, crash: 2, back: 1, isNamed: true)
  static let old = ClaimScenario(name: "an old node", hasOldNode: true)
}
