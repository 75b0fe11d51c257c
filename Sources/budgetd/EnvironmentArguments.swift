import BudgetModel
import Foundation

/// Options given as variables: `BUDGETD_LISTEN=127.0.0.1:0` is `--listen 127.0.0.1:0`.
enum EnvironmentArguments {
  /// Options with a value, by name.
  static let valued = [
    "backup-dir", "backups-kept", "backup-reserve-bytes", "keys-kept",
    "dynamic-budgets", "max-open-reservations", "default-estimate",
    "config", "listen", "http", "metrics-deployments", "metrics-tags", "data-dir", "durability",
    "redis", "redis-password-file", "redis-sentinel-password-file", "redis-ca", "redis-cert",
    "redis-key", "redis-server-name", "redis-verify", "node-id",
    "provider-map", "log-level", "max-connections", "max-request-bytes", "max-deployments",
    "max-tags", "max-requests-under-way", "max-unsent-bytes", "max-unsent-total",
    "frame-timeout", "idle-timeout", "stall-timeout", "trace", "trace-bytes", "lanes", "spin",
    "max-connections-per-client", "max-requests-under-way-per-client",
    "max-unsent-bytes-per-client", "records-per-second",
    "access-file", "outage-policy", "fleet-size", "reconcile-interval-ms", "clock-jump-bound-s",
    "reservations", "shared-budget", "reserve-wait",
    "log-format", "drain-delay", "tls-cert", "tls-key", "tls-client-ca", "tls-client", "http-tls",
  ]

  /// Options that are there or not.
  static let flags = ["insecure-network", "metrics-open", "page-open"]

  /// Variables that are not options of this program's.
  private static let others = [
    "redis-password", "redis-sentinel-password", "server", "token-file",
  ]

  /// Kubernetes sets these in every container beside a service named `budgetd`.
  private static let ofServices = ["BUDGETD_SERVICE_", "BUDGETD_PORT"]

  /// Why variables that look like this program's have no effect: a line each. Values are not shown.
  static func complaints(about environment: [String: String]) -> [String] {
    let known = valued + flags + others
    return environment.keys.sorted().compactMap { name in
      guard name.uppercased().hasPrefix("BUDGETD_"), !known.map(variable).contains(name),
        !ofServices.contains(where: { name.hasPrefix($0) }),
        let meant = Spelling.nearest(to: String(name.dropFirst("BUDGETD_".count)), among: known)
      else { return nil }
      return "the variable \(name) has no effect: did you mean \(variable(meant))?"
    }
  }

  private static func variable(_ option: String) -> String {
    "BUDGETD_" + option.uppercased().replacing("-", with: "_")
  }

  /// Options that may be given again: several values of a variable have commas between them.
  private static let repeatable = ["listen", "shared-budget"]

  /// The arguments that the variables stand for; empty variables stand for none. Those in `given` win:
  /// of options that may be given again they alone count.
  static func arguments(
    from environment: [String: String], besides given: [String] = []
  ) -> [String] {
    func values(_ option: String, _ value: String) -> [String] {
      guard repeatable.contains(option) else { return [value] }
      let isGiven = given.contains { $0 == "--\(option)" || $0.hasPrefix("--\(option)=") }
      return isGiven ? [] : value.split(separator: ",").map(String.init)
    }
    func value(_ option: String) -> String? {
      environment[variable(option)].flatMap { $0.isEmpty ? nil : $0 }
    }
    let off = ["0", "false", "no", "off"]
    return valued.flatMap { option in
      (value(option).map { values(option, $0) } ?? []).map { "--\(option)=\($0)" }
    }
      + flags.filter { option in value(option).map { !off.contains($0.lowercased()) } ?? false }
      .map { "--\($0)" }
  }
}
