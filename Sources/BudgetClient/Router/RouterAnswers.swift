public import BudgetWire

/// Which candidates are within budget.
public struct FilterAnswer: Hashable, Sendable {
  /// The positions of the allowed among the candidates, from 0, ascending.
  public internal(set) var allowed: [Int] = []
  /// Which budget denied which candidate.
  public internal(set) var denials: [Denial] = []
  /// How many denials there were past those given.
  public internal(set) var denialsOmitted = 0
  /// The candidates, where budgetd supplied them; empty where the caller did.
  public internal(set) var candidates: [Deployment] = []
  /// Why nothing is allowed, in budgetd's words; empty where something is.
  public internal(set) var message = ""
  /// Why budgetd was not asked, and every candidate is allowed; nil: it was.
  public internal(set) var unavailable: String?

  init(_ response: FilterDeploymentsResponse) {
    allowed = response.allowed
    denials = response.denials
    denialsOmitted = response.denialsOmitted
    candidates = response.candidates
    message = response.message
  }

  /// Every candidate, since no address answers.
  init(unavailable: String, of candidates: Int) {
    allowed = Array(0..<candidates)
    self.unavailable = unavailable
  }
}

/// A client's numbers since it was made.
public struct RouterStats: Hashable, Sendable {
  /// Records and releases that are not answered yet.
  public internal(set) var owed = 0
  /// Records that budgetd has taken, duplicates included.
  public internal(set) var recorded = 0
  /// Records whose key budgetd had seen before.
  public internal(set) var duplicates = 0
  /// Records that were refused for good.
  public internal(set) var dropped = 0
  /// Records that were sent again.
  public internal(set) var retries = 0
  /// Filters and reservations that `OnUnavailable` has answered.
  public internal(set) var unavailable = 0
}
