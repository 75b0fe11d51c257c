import Access
import BudgetModel
import BudgetWire
import Dispatch
import Locks
import Logging
import Sockets
import Synchronization
import TCPTransport

/// Why somebody was turned away, for counting.
enum AccessRefusal: String, CaseIterable {
  /// A token that nobody has.
  case wrongToken = "wrong_token"
  /// A call, or a page, before saying who asks.
  case unauthenticated
  /// A call, or a page, that the role does not allow.
  case permission
  /// Who the peer is was not said in time.
  case timeout
  /// Another that had not said it either took the place.
  case displaced
  /// The access file has the client, or what it showed, no more.
  case revoked
}

/// The one who knows who may do what, for all lanes and pages: the table in force, those who have not
/// said who they are, and those who showed what is not right.
///
/// A lane asks when a connection comes, says who it is or goes, never for a request.
final class AccessDesk: Sendable {
  private let table: Locked<AccessTable>
  private let wrongTokens = Locked(WrongTokens())
  private let foreignProtocols = Locked(ForeignProtocolNotes())
  private let strangers = Locked(Strangers())
  private let refusals = Locked<[AccessRefusal: Int]>([:])
  private let replies = Locked<ReplyMailbox?>(nil)
  private let log: Logger

  /// Fewer lanes wait for it than for the engine's; what is said late does no harm.
  private static let queue = DispatchQueue(label: "budgetd.access", qos: .utility)

  init(_ table: AccessTable, log: Logger) {
    self.table = Locked(table)
    self.log = log
  }

  /// Connections can be closed, and refused later, from here on.
  func connect(to replies: ReplyMailbox) { self.replies.withLock { $0 = replies } }

  /// Whether there is no access file: everybody may do everything.
  var isOpen: Bool { table.withLock { $0.isOpen } }

  /// How many clients the access file has.
  var clientCount: Int { table.withLock { $0.count } }

  /// How often somebody was turned away for a reason.
  func count(_ refusal: AccessRefusal) -> Int { refusals.withLock { $0[refusal, default: 0] } }

  func note(_ refusal: AccessRefusal) { refusals.withLock { $0[refusal, default: 0] += 1 } }

  /// Notes a refused call, where it was refused for who asks.
  func noteRefused(_ status: StatusCode) {
    switch status {
    case .unauthenticated: note(.unauthenticated)
    case .permissionDenied: note(.permission)
    default: break
    }
  }

  /// Notes a connection that is turned away, where it is for who is at its other end.
  func noteClosing(_ reason: ConnectionRefusal) {
    switch reason {
    case .unintroduced: note(.timeout)
    case .revoked: note(.revoked)
    // Counted when it was told to go.
    case .displaced: break
    case .frameTooLarge(let length, _):
      guard let spoken = ForeignProtocol(announced: length) else { break }
      let now = MonotonicInstant.now()
      guard foreignProtocols.withLock({ $0.isDue(spoken, at: now) }) else { break }
      Self.queue.async { [log] in log.warning("\(spoken.sentence) (said once a minute)") }
    case .frameTimedOut, .tooManyConnections, .tooManyOfClient, .draining: break
    }
  }

  // MARK: - Who

  /// Who a peer is before it says anything.
  func identity(of peer: Peer) -> Identity? {
    table.withLock { $0 }.identity(certificateNames: peer.certificateNames, user: peer.user?.userID)
  }

  /// Who has a certificate of these names.
  func identity(of certificateNames: [String]) -> Identity? {
    table.withLock { $0 }.identity(certificateNames: certificateNames, user: nil)
  }

  /// Who shows `token`.
  func identity(token: [UInt8]) -> Identity? { table.withLock { $0 }.identity(token: token) }

  /// The identity as the table in force has it; nil: it has it no more.
  func renewed(_ identity: Identity) -> Identity? {
    let table = table.withLock { $0 }
    if table.isOpen { return identity }
    return table.principal(knownBy: identity.credential).map {
      Identity(principal: $0, credential: identity.credential)
    }
  }

  /// Puts another table in force: a changed role holds from the next request, and connections of those
  /// who are known no more are closed.
  @discardableResult
  func replace(_ new: AccessTable) -> [String] {
    let before = table.withLock { exchange(&$0, with: new) }
    replies.withLock { $0 }?.review()
    return before.changes(to: new)
  }

  // MARK: - Strangers

  /// A connection came whose peer has not said who it is.
  func arrived(_ connection: ConnectionID, from address: String) {
    let displaced = strangers.withLock { $0.arrive(connection, from: address) }
    guard let displaced else { return }
    note(.displaced)
    replies.withLock { $0 }?.dismiss(displaced)
  }

  /// It has said who it is, or has gone.
  func left(_ connection: ConnectionID) { strangers.withLock { $0.leave(connection) } }

  /// Notes a wrong token; says how long its refusal waits.
  func wrongToken(from address: String, at now: MonotonicInstant) -> Duration {
    note(.wrongToken)
    let verdict = wrongTokens.withLock { $0.note(address, at: now) }
    if let count = verdict.count {
      Self.queue.async { [log] in
        log.warning(
          """
          \(address) showed a token that no client of the access file has, \
          \(LogText.counted(count, "time")) so far
          """)
      }
    }
    return verdict.delay
  }

  /// Whether a token from `address` is passed over for now, where it would only add to an answer.
  func passesOver(tokensFrom address: String, at now: MonotonicInstant) -> Bool {
    wrongTokens.withLock { $0.isWaiting(address, at: now) }
  }

  /// Posts `batch` after `delay`; false: there is nobody to post it to.
  func post(_ batch: ReplyBatch, after delay: Duration) -> Bool {
    guard let replies = replies.withLock({ $0 }) else { return false }
    Self.queue.asyncAfter(deadline: .now() + .nanoseconds(Int(delay.nanoseconds))) {
      replies.post(batch)
    }
    return true
  }
}
