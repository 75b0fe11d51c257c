/// Redis' facts about itself when the link was made; nil where it did not say, or may not.
public struct ServerFacts: Hashable, Sendable {
  /// One life of the Redis process.
  public var runID: String?
  /// The history of data that this Redis and its replicas share.
  public var replicationID: String?
  /// Such as `7.0.15`.
  public var version: String?
  /// `master` or `slave`.
  public var role: String?
  /// Redis' policy when its memory is full: `noeviction` loses nothing.
  public var evictionPolicy: String?
  /// The bound on Redis' memory in bytes; 0: none.
  public var memoryLimit: Int64?
  /// Whether this is a node of a cluster.
  public var isCluster: Bool?
  /// How many masters the cluster has, where it is used as one.
  public var masters: Int?
  /// Whether Redis is still reading its data.
  public var isLoading: Bool?

  /// Nothing known.
  public init() {}
}

extension ServerFacts {
  /// Reads the answer to `INFO`: lines of `name:value`. Fields that are missing or unusable stay
  /// nil.
  init(info: [UInt8]) {
    self.init()
    for line in info.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")), line.first != UInt8(ascii: "#")
      else { continue }
      let name = String(decoding: line[..<colon].prefix(64), as: UTF8.self)
      let value = PrintableText.bounded(line[line.index(after: colon)...])
      switch name {
      case "run_id": runID = value
      case "master_replid": replicationID = value
      case "redis_version": version = value
      case "role": role = value
      case "maxmemory_policy": evictionPolicy = value
      case "maxmemory": memoryLimit = Int64(value)
      case "cluster_enabled": isCluster = value == "1"
      case "loading": isLoading = value == "1"
      default: break
      }
    }
  }
}
