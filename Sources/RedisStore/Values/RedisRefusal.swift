/// Why Redis refused a command.
public struct RedisRefusal: Hashable, Sendable {
  /// What it means to us.
  public var kind: Kind
  /// Redis' own words: printable, at most `PrintableText.maximumLength` characters.
  public var text: String

  /// The refusals that are told apart.
  public enum Kind: String, CaseIterable, Hashable, Sendable {
    /// The script is not in Redis' cache.
    case noScript
    /// Redis is reading its data; it answers soon.
    case loading
    /// A replica, which takes no writes.
    case readOnly
    /// Another node of a cluster has the key.
    case moved
    /// Another node of a cluster is about to have the key.
    case ask
    /// A cluster that does not have all its slots.
    case clusterDown
    /// Keys of several slots in one command, in a cluster.
    case crossSlot
    /// A replica without its master, set not to answer.
    case masterDown
    /// A script runs for too long.
    case busy
    /// Redis' memory is full and nothing may be evicted.
    case outOfMemory
    /// Redis cannot save and was told to take no writes then.
    case cannotSave
    /// Fewer replicas than Redis was told to need for writes.
    case noReplicas
    /// The user may not do this.
    case noPermission
    /// No password was given, and one is needed.
    case noAuthentication
    /// User or password is wrong.
    case wrongPassword
    /// The key holds another type.
    case wrongType
    /// Anything else, the script's own errors included.
    case other
  }

  /// Makes a refusal.
  public init(kind: Kind, text: String) {
    self.kind = kind
    self.text = text
  }
}
