/// The bounds whose meetings are counted.
public enum HTTPBound: String, CaseIterable, Sendable {
  /// The connection longest without a request was closed to make room, or one had to wait.
  case connections
  /// A request was too long, or came with a body.
  case requestBytes = "request_bytes"
  /// A request took too long to come.
  case requestTime = "request_time"
  /// A reader took nothing for too long, or too long for a response.
  case stallTime = "stall_time"
  /// A reader was cut off since too many bytes waited.
  case responseBytes = "response_bytes"
}
