/// What the samples of a family are.
public enum MetricType: String, Sendable {
  /// A number that only grows, and starts at zero with the process.
  case counter
  /// A number that goes up and down.
  case gauge
  /// Counts of values by size.
  case histogram
}
