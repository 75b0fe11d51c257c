/// What filtering goes by while the store is away, as `--outage-policy` says.
public enum OutagePolicy: String, CaseIterable, Sendable {
  /// By what this node knows: its own spend, and others' as it was heard last.
  case open
  /// Nothing passes that has a budget.
  case closed
  /// Each node gives out its part of what was left of each limit.
  case share
}
