/// `sentinel://[user@]host:port,host:port/SERVICE[/db]` or `cluster://[user@]host:port,host:port`; with
/// an s behind the scheme the connections are encrypted. budgetd's own: LiteLLM has no such URLs.
struct RedisServersURL {
  var endpoint: RedisSource.Endpoint
  var username: String?
  var database = 0
  var isEncrypted: Bool

  static let sentinelPort: UInt16 = 26_379
  /// More are refused.
  static let hostBound = 64

  /// Nil: the text has another scheme.
  init?(_ text: String) throws(RedisArgumentError) {
    guard let colon = text.firstRange(of: "://") else { return nil }
    let scheme = text[..<colon.lowerBound].lowercased()
    guard ["sentinel", "sentinels", "cluster", "clusters"].contains(scheme) else { return nil }
    isEncrypted = scheme.hasSuffix("s")
    let isCluster = scheme.hasPrefix("cluster")
    var rest = text[colon.upperBound...]
    let shape =
      isCluster
      ? "give \(scheme)://[user@]host:port,host:port"
      : "give \(scheme)://[user@]host:port,host:port/SERVICE[/db]"
    do throws(RedisURL.Refusal) {
      if let at = rest.lastIndex(of: "@") {
        guard !rest[..<at].contains(":") else { throw .malformed(RedisArgumentError.password) }
        username = try RedisURL.decoded(rest[..<at])
        rest = rest[rest.index(after: at)...]
      }
      let parts = rest.split(separator: "/", omittingEmptySubsequences: false)
      var hosts: [RedisSource.Host] = []
      for host in (parts.first ?? "").split(separator: ",", omittingEmptySubsequences: false) {
        guard !host.isEmpty else { throw .malformed("a host is empty: \(shape)") }
        hosts.append(
          try RedisURL.host(
            host, port: isCluster ? RedisURL.defaultPort : Self.sentinelPort))
      }
      guard hosts.count <= Self.hostBound else {
        throw .malformed("these are \(hosts.count) hosts: name at most \(Self.hostBound)")
      }
      if isCluster {
        guard parts.count == 1 || parts.count == 2 && ["", "0"].contains(parts[1]) else {
          throw .malformed("a cluster has the database 0 alone: \(shape)")
        }
        endpoint = .cluster(hosts)
        return
      }
      guard parts.count > 1, !parts[1].isEmpty, parts.count <= 3 else {
        throw .malformed("the service's name is missing: \(shape)")
      }
      endpoint = .sentinel(hosts, service: try RedisURL.decoded(parts[1]))
      if parts.count == 3, !parts[2].isEmpty { database = try RedisURL.database(parts[2]) }
    } catch {
      guard case .malformed(let reason) = error else {
        throw RedisArgumentError(message: shape)
      }
      throw RedisArgumentError(message: reason.contains("give") ? reason : "\(reason): \(shape)")
    }
  }
}
