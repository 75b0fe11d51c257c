import BudgetModel
import RedisStore

/// Reservations that have ended on other nodes than those that made them: each node has a list in the
/// store, into which others put the names, and which it empties.
///
/// Best effort: a name that is lost costs nothing but that the hold ends by its time.
struct EndedMail {
  private let keys: RedisKeys
  /// Why the store's user may not do it; nil: nothing is known against it.
  private(set) var refusal: String?

  /// Names that one pass takes.
  private static let takenAtOnce = 1_000
  /// For how long a list lies there: reservations have ended by then, nearly all.
  private static let milliseconds = 600_000

  init(_ keys: RedisKeys) { self.keys = keys }

  mutating func linkWasMade() { refusal = nil }

  private static func words(_ texts: String...) -> [[UInt8]] { texts.map { Array($0.utf8) } }

  /// The command that takes what others have put there for a node; nil: it has nothing that could end.
  func question(_ node: some FleetNode) -> [[UInt8]]? {
    guard refusal == nil, node.hasReservations else { return nil }
    return Self.words("LPOP") + [keys.endedKey(of: node.reservationNode)]
      + Self.words("\(Self.takenAtOnce)")
  }

  mutating func take(_ reply: RedisValue, _ node: some FleetNode) {
    if let refusal = reply.refusal { return refused(refusal) }
    let ended = (reply.array ?? []).compactMap { $0.bytes.flatMap { EndedReservation(text: $0) } }
    if !ended.isEmpty { node.end(ended) }
  }

  /// Tells nodes which of their reservations have ended here. Those that the list of claims names: a
  /// reservation's name is a client's word, and makes no list of a node that never was.
  mutating func deliver(
    _ node: some FleetNode, _ store: inout some FleetStore
  ) throws(PassFailure) {
    let ended = node.takeEnded()
    guard !ended.isEmpty, refusal == nil else { return }
    let receivers = ended.keys.sorted()
    let asked = receivers.map {
      Self.words("ZSCORE") + [keys.claimedKey, ClaimListing.member(of: $0)]
    }
    var commands: [[[UInt8]]] = []
    for (receiver, score) in zip(receivers, try store.answers(to: asked)) {
      if let refusal = score.refusal { return refused(refusal) }
      guard score.bytes != nil, let names = ended[receiver] else { continue }
      let key = keys.endedKey(of: receiver)
      commands.append(Self.words("RPUSH") + [key] + names.map(\.text))
      commands.append(Self.words("PEXPIRE") + [key] + Self.words("\(Self.milliseconds)"))
    }
    if commands.isEmpty { return }
    for reply in try store.answers(to: commands) {
      if let refusal = reply.refusal { return refused(refusal) }
    }
  }

  private mutating func refused(_ refusal: RedisRefusal) {
    if refusal.isForWantOfRights || refusal.isAboutOneKey { self.refusal = refusal.text }
  }
}
