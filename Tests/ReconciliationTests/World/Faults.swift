/// How often things go wrong: parts of one, by step or by message.
struct Faults {
  /// Of messages: lost, cut, repeated late, or their reply lost.
  var network = 0.0
  /// Of messages to a cluster: one of its nodes is away, and the others are not.
  var nodeAway = 0.0
  /// Of steps.
  var crash = 0.0
  /// Of messages: the node goes while it waits for the reply.
  var crashInPass = 0.0
  /// Of the ledger's calls.
  var ledger = 0.0
  /// Of replies to clients.
  var acknowledgement = 0.0
  /// Of steps: the store goes back to an earlier moment.
  var failover = 0.0
  /// Of steps: the store forgets everything.
  var flush = 0.0
  /// Of steps: one key goes.
  var spendKeyLoss = 0.0
  var markLoss = 0.0
  var startKeyLoss = 0.0

  static let none = Faults()
}
