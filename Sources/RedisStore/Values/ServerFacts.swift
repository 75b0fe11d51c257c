/// What Redis said of itself when the link was made; nil where it did not say, or may not.
public struct ServerFacts: Hashable, Sendable {
  /// One life of the Redis process.
  public var runID: String?
  /// The history of data that this Redis and its replicas share.
  public var replicationID: String?
  /// Such as `7.0.15`.
  public var version: String?
  /// `master` or `slave`.
  public var role: String?
  /// What Redis does when its memory is full: `noeviction` loses nothing.
  public var evictionPolicy: String?
  /// The bound on Redis' memory in bytes; 0: none.
  public var memoryLimit: Int64?
  /// Whether this is a node of a cluster.
  public var isCluster: Bool?
  /// Whether Redis is still reading its data.
  public var isLoading: Bool?

  /// Nothing known.
  public init() {}
}
