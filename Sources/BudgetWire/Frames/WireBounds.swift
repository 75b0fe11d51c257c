/// The bounds on messages. Each is a setting; `standard` holds what the contract promises.
public struct WireBounds: Hashable, Sendable {
  /// The longest request, in bytes after the header.
  public var maximumRequestBytes = 256 * 1024
  /// The longest response, in bytes after the header.
  public var maximumResponseBytes = 1024 * 1024
  /// The most deployments in a request.
  public var maximumDeployments = 1024
  /// The most tags in a request, as sent.
  public var maximumTags = 256
  /// The most entries of any other list in a request.
  public var maximumListEntries = 1024
  /// The most fields in a request that the schema does not know.
  public var maximumUnknownFields = 32
  /// How deep messages may lie in each other; the request itself is 1.
  public var maximumDepth = 4
  /// The most denials in a response; the rest is counted.
  public var maximumDenials = 1024
  /// The longest status message, in bytes of UTF-8.
  public var maximumStatusMessageBytes = 8 * 1024

  /// The contract's bounds.
  public static let standard = WireBounds()

  /// The contract's bounds, to change some of them.
  public init() {}

  /// How many bytes the unpacked form of a request of `length` bytes may take, summed over every
  /// allocation: 16 for each byte and 256 KiB, at most 4 MiB. The cumulative count is what stops
  /// a merge whose cost grows with the square of its input.
  public static func arenaBytes(forRequestOf length: Int) -> Int {
    min(16 * length + 256 * 1024, 4 * 1024 * 1024)
  }
}
