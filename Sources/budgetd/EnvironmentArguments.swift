import Foundation

/// Options given as variables: `BUDGETD_LISTEN=127.0.0.1:0` is `--listen 127.0.0.1:0`.
enum EnvironmentArguments {
  /// Options with a value, by name.
  private static let valued = [
    "backup-dir", "backups-kept", "backup-reserve-bytes", "keys-kept",
    "config", "listen", "http", "metrics-deployments", "metrics-tags", "data-dir", "durability",
    "redis", "redis-password-file", "node-id",
    "provider-map", "log-level", "max-connections", "max-request-bytes", "max-deployments",
    "max-tags", "max-requests-under-way", "max-unsent-bytes", "max-unsent-total",
    "frame-timeout", "idle-timeout", "stall-timeout", "lanes", "spin", "outage-policy",
    "fleet-size", "reconcile-interval-ms", "clock-jump-bound-s",
  ]

  /// Options that are there or not.
  private static let flags = ["insecure-network"]

  /// The arguments that the variables stand for; empty variables stand for none.
  static func arguments(from environment: [String: String]) -> [String] {
    func value(_ option: String) -> String? {
      let name = "BUDGETD_" + option.uppercased().replacing("-", with: "_")
      return environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
    let off = ["0", "false", "no", "off"]
    return valued.flatMap { option in value(option).map { ["--\(option)=\($0)"] } ?? [] }
      + flags.filter { option in value(option).map { !off.contains($0.lowercased()) } ?? false }
      .map { "--\($0)" }
  }
}
