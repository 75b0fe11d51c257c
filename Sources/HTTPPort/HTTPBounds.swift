/// What a client of the port may use up.
public struct HTTPBounds: Sendable {
  /// Connections at one time.
  public var connections = 64
  /// A request's line and headers, in bytes.
  public var requestBytes = 8 * 1_024
  /// From a request's first byte to its last.
  public var requestDuration: Duration = .seconds(5)
  /// How long a connection may stand without a request.
  public var idleDuration: Duration = .seconds(60)
  /// How long a reader may take nothing of a response.
  public var stallDuration: Duration = .seconds(5)
  /// How long a reader may take for a whole response.
  public var responseDuration: Duration = .seconds(20)
  /// Bytes of responses that were not taken yet; a body that several connections share counts once.
  public var unsentBytes = 64 * 1_024 * 1_024
  /// How long a refused connection is read on, so that it sees the refusal.
  public var lingerDuration: Duration = .seconds(1)
  /// How many bytes are read of it and thrown away.
  public var lingerBytes = 4 * 1_024 * 1_024
  /// How long accepting rests when the process is out of descriptors.
  public var acceptPause: Duration = .milliseconds(100)
  /// How long responses under way may take once the port stops.
  public var stopDuration: Duration = .milliseconds(500)

  /// The bounds as documented.
  public static let standard = HTTPBounds()

  /// Makes the standard bounds, to be changed one by one.
  public init() {}
}
