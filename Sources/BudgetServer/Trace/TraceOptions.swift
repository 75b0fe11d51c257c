/// How a trace of the traffic is written.
public struct TraceOptions: Sendable {
  /// The file that is written to; the one before it goes by this name and `.1`.
  public var path: String
  /// The bytes that both files together may take of the disk.
  public var maximumBytes: Int
  /// The bytes of memory that steps may take while they wait; past it steps are lost, and counted.
  var queueBytes = 32 << 20

  /// The bound unless another is asked for.
  public static let standardBytes = 256 << 20
  /// The bounds that can be asked for.
  public static let bytesRange = (1 << 20)...(1 << 40)

  /// A trace in the file at `path`.
  public init(path: String, maximumBytes: Int = standardBytes) {
    self.path = path
    self.maximumBytes = maximumBytes
  }
}
