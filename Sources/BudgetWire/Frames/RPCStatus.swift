/// How a call ended: gRPC's names and numbers.
public enum StatusCode: UInt8, CaseIterable, Hashable, Sendable {
  /// Applied.
  case ok = 0
  /// The caller gave up.
  case cancelled = 1
  /// May or may not be applied: retry with the same idempotency key.
  case unknown = 2
  /// The request can never succeed as it is.
  case invalidArgument = 3
  /// The timeout passed before work started; nothing was applied.
  case deadlineExceeded = 4
  /// Nothing has the name that was given.
  case notFound = 5
  /// The idempotency key was used with other fields; nothing was recorded.
  case alreadyExists = 6
  /// The caller's role does not allow this.
  case permissionDenied = 7
  /// Every candidate is over budget, or a bound of the connection was passed.
  case resourceExhausted = 8
  /// The server's state or configuration stands against it.
  case failedPrecondition = 9
  /// Another change came between.
  case aborted = 10
  /// The idempotency key is older than the horizon; an earlier try may have been applied.
  case outOfRange = 11
  /// No method, or one that the build does not have.
  case unimplemented = 12
  /// A fault of the server; may or may not be applied.
  case `internal` = 13
  /// Not now: shutting down, disk or queue full.
  case unavailable = 14
  /// Stored data was lost or damaged.
  case dataLoss = 15
  /// The connection has not said who it is.
  case unauthenticated = 16

  /// Whether a request that ended so may have been applied all the same.
  public var isIndeterminate: Bool { self == .unknown || self == .internal }
}

extension StatusCode: CustomStringConvertible {
  /// gRPC's name, such as `INVALID_ARGUMENT`.
  public var description: String {
    switch self {
    case .ok: "OK"
    case .cancelled: "CANCELLED"
    case .unknown: "UNKNOWN"
    case .invalidArgument: "INVALID_ARGUMENT"
    case .deadlineExceeded: "DEADLINE_EXCEEDED"
    case .notFound: "NOT_FOUND"
    case .alreadyExists: "ALREADY_EXISTS"
    case .permissionDenied: "PERMISSION_DENIED"
    case .resourceExhausted: "RESOURCE_EXHAUSTED"
    case .failedPrecondition: "FAILED_PRECONDITION"
    case .aborted: "ABORTED"
    case .outOfRange: "OUT_OF_RANGE"
    case .unimplemented: "UNIMPLEMENTED"
    case .internal: "INTERNAL"
    case .unavailable: "UNAVAILABLE"
    case .dataLoss: "DATA_LOSS"
    case .unauthenticated: "UNAUTHENTICATED"
    }
  }
}

/// How a call ended, and a sentence for people.
public struct RPCStatus: Hashable, Sendable {
  /// How the call ended.
  public var code: StatusCode
  /// One sentence. `ResponseWriter` cuts it at `WireBounds.maximumStatusMessageBytes`.
  public var message: String

  /// A status with its sentence.
  public init(_ code: StatusCode, _ message: String = "") {
    self.code = code
    self.message = message
  }
}
