import BudgetModel
import Logging
import Reconciliation
import RedisStore

/// The fleet in the log, for operators: changes, not everything that goes on.
final class FleetVoice {
  private let log: Logger
  private var connectedTo: ServerFacts?
  private var faulty: [PassReport.BudgetFault] = []
  private var nodesFault: String?
  private var claimsRefusal: String?
  private var asideRefusal: String?
  private var isFailing = false
  private var lastFailure: String?
  private var isPartial = false
  private var switches = 0
  private var clocksAreApart = false
  private var exchangeFault: String?
  private var alertsFault: String?

  init(log: Logger) { self.log = log }

  /// A link was made.
  func connected(_ facts: ServerFacts) {
    defer { connectedTo = facts }
    let version = facts.version ?? "of unknown version"
    if let before = connectedTo {
      if before.runID != facts.runID || before.replicationID != facts.replicationID {
        log.notice(
          "Redis is another process or has another history than before (now \(version)): every marker is looked at, what it lost is sent again"
        )
      }
    } else if let masters = facts.masters {
      log.info("connected to a Redis cluster of \(masters) masters, \(version)")
    } else {
      log.info("connected to Redis \(version)")
    }
    if facts.mayEvict, connectedTo?.evictionPolicy != facts.evictionPolicy {
      log.error(
        "Redis may evict budgets' keys (maxmemory-policy \(facts.evictionPolicy ?? "unknown")): spend of LiteLLM proxies would be forgotten; set maxmemory-policy noeviction"
      )
    }
    if facts.isCluster == true, facts.masters == nil {
      log.error(
        "Redis is a node of a cluster: give --redis cluster://host:port, or startup_nodes in the config"
      )
    }
  }

  /// How the store's servers are.
  func heard(_ health: StoreHealth) {
    if let now = health.sentinelSwitches, now > switches {
      switches = now
      log.notice("the sentinels name another master: the link has moved")
    }
    guard let difference = health.cluster?.clockDifference else { return }
    let areApart = difference > Self.clockDifferenceBound
    if areApart, !clocksAreApart {
      log.warning(
        "the clocks of the cluster's masters are \(difference.wholeMilliseconds) ms apart: budgets' windows end by the clock of the master that has them; see that the masters' hosts keep their time"
      )
    }
    clocksAreApart = areApart
  }

  /// Masters' clocks that are further apart are told of.
  private static let clockDifferenceBound = Duration.milliseconds(500)

  /// Operators' changes were exchanged with the store, or why not.
  func exchanged(_ fault: String?) {
    defer { exchangeFault = fault }
    guard fault != exchangeFault else { return }
    if let fault {
      log.error(
        "changes of limits are not shared with other nodes, budgetd:policy in Redis cannot be used: \(fault); all else is"
      )
    } else {
      log.notice("changes of limits are shared with other nodes again")
    }
  }

  /// Alerts were exchanged with the store, or why not.
  func exchangedAlerts(_ fault: String?) {
    defer { alertsFault = fault }
    guard fault != alertsFault else { return }
    if let fault {
      log.error(
        "no alert is sent, since nodes cannot agree on who sends it: budgetd:alerts in Redis cannot be used: \(fault); all else is as it was"
      )
    } else {
      log.notice("alerts are sent again")
    }
  }

  /// Whether nodes of a cluster are away changes.
  private func noteAway(_ report: PassReport) {
    if let reason = report.awayReason, !isPartial {
      log.warning("\(report.awayText(reason)). The others go on; trying again")
    } else if report.awayReason == nil, isPartial {
      log.notice("every master of the cluster answers again")
    }
    isPartial = report.awayReason != nil
  }

  /// Whether Redis lists claims changes.
  private func noteAside(_ report: PassReport) {
    guard report.isOfPass, report.asideRefusal != asideRefusal else { return }
    asideRefusal = report.asideRefusal
    if let asideRefusal {
      log.warning(
        "Redis' user may not list claims or tell of reservations that ended on another node: \(asideRefusal); give it ~budgetd:claimed and ~budgetd:ended:* with +zrangebyscore +zscore +lpop +rpush +pexpire; until then nodes show what others hold only of budgets in which they hold something too, and such reservations end by their time"
      )
    }
  }

  /// Whether Redis keeps claims changes.
  private func noteClaims(_ report: PassReport) {
    guard report.claimsRefusal != claimsRefusal else { return }
    claimsRefusal = report.claimsRefusal
    if let claimsRefusal {
      log.error(
        "Redis' user may not keep claims, so nodes do not see what others hold back for requests under way: \(claimsRefusal); give it +hgetall and +hdel, deploy/redis.md has the whole list; spend is shared as before"
      )
    } else {
      log.notice("Redis' user may keep claims")
    }
  }

  /// A pass succeeded.
  func passed(_ report: PassReport) {
    isFailing = false
    noteAway(report)
    for late in report.late.prefix(PassReport.faultBound) {
      log.warning(
        "$\(late.amount.exactText) of \(late.key) came too late for its window from \(late.start.iso8601): it stays in this node's ledger and is in no other total"
      )
    }
    if report.late.count > PassReport.faultBound {
      log.warning("and of \(report.late.count - PassReport.faultBound) more windows")
    }
    if report.mended > 0 {
      let budgets = report.mended == 1 ? "1 budget" : "\(report.mended) budgets"
      log.warning(
        "\(budgets) had lost spend key or marker in Redis: mended from the ledgers")
    }
    if report.nodesFault != nodesFault {
      nodesFault = report.nodesFault
      if let nodesFault {
        log.error(
          "nodes cannot be counted, budgetd:nodes in Redis cannot be used: \(nodesFault); the count that was last known holds; delete that key, and the nodes make it again"
        )
      } else {
        log.notice("nodes are counted again: \(report.nodes)")
      }
    }
    noteClaims(report)
    noteAside(report)
    if report.faults != faulty {
      faulty = report.faults
      for fault in faulty {
        if fault.isShared {
          log.warning("\(fault.key): \(fault.reason); the nodes agree on its window without it")
          continue
        }
        log.error(
          "\(fault.key) cannot be shared: \(fault.reason); this node goes on with its own spend")
      }
      if report.faultCount > faulty.count {
        log.error("and \(report.faultCount - faulty.count) more budgets")
      }
    }
  }

  /// A pass failed: told once, until a pass succeeds; further reasons are for those who look.
  func failed(_ failure: PassFailure) {
    // The member has told it: the node is not ready for it.
    if case .clock = failure { return }
    let reason = failure.description
    if !isFailing {
      log.warning("no pass with Redis: \(reason); trying again")
    } else if reason != lastFailure {
      log.debug("still no pass with Redis: \(reason)")
    }
    isFailing = true
    lastFailure = reason
  }
}

extension PassReport {
  /// How much of the fleet's budgets waits, and why.
  func awayText(_ reason: String) -> String {
    let budgets = away == 1 ? "1 budget waits" : "\(away) budgets wait"
    return "a part of Redis is away, \(budgets) for it: \(reason)"
  }
}

extension ServerFacts {
  /// Whether Redis may drop keys when its memory is full.
  var mayEvict: Bool { evictionPolicy.map { $0 != "noeviction" } ?? false }
}
