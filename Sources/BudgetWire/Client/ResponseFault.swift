/// Why bytes are not taken as a response.
public enum ResponseFault: Error, Hashable, Sendable {
  /// A frame of more bytes than a server may send.
  case frameTooLong(length: Int, bound: Int)
  /// No message of budget.v1, or one that would take more memory than any honest one.
  case malformed
}

extension ResponseFault: CustomStringConvertible {
  /// One sentence.
  public var description: String {
    switch self {
    case .frameTooLong(let length, let bound): "a response of \(length) bytes, at most \(bound)"
    case .malformed: "the response is no message of budget.v1"
    }
  }
}
