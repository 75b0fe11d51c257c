/// The answer to FilterDeployments, as a client reads it.
public struct FilterDeploymentsResult: Hashable, Sendable {
  /// Positions among the candidates, from 0, ascending.
  public var allowed: [UInt32] = []
  /// Which budget denied which candidate.
  public var denials: [DenialMessage] = []
  /// The candidates, where the server supplied them.
  public var candidates: [DeploymentMessage] = []
  /// How many denials there were past those given.
  public var denialsOmitted: UInt32 = 0

  /// The answer that nothing is allowed.
  public init() {}
}
