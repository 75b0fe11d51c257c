import Access
import BudgetFleet
import BudgetModel
import BudgetWire
import Sockets
import TCPTransport

/// Who is at the other end: as a connection comes, as it says so itself, as the access file changes.
extension BudgetService {
  /// A connection came.
  mutating func open(_ connection: ConnectionID, _ peer: Peer) -> PeerStanding {
    admit(connection, as: peers.open(connection, peer, at: context.access))
  }

  /// A connection has gone: its call ids are free.
  mutating func forget(_ connection: ConnectionID) {
    if gate.isWaited(on: connection) { context.fleet?.waiting.leave(connection.word) }
    gate.removeAll(on: connection)
    peers.forget(connection, at: context.access)
  }

  /// The access file has changed: whether the peer is still known. A changed role holds at once.
  mutating func review(_ connection: ConnectionID) -> PeerStanding {
    admit(connection, as: peers.review(connection, at: context.access))
  }

  private mutating func admit(_ connection: ConnectionID, as role: Role?) -> PeerStanding {
    gate.admit(connection, as: role)
    return role == nil ? .unknown : .known
  }

  /// Takes a token as saying who the connection is. One that nobody has is its last word.
  mutating func authenticate(
    _ head: RequestHead, _ call: Call, output: inout [UInt8]
  ) throws(ServiceRefusal) -> FrameOutcome {
    let token = try reader.token(head)
    guard let role = peers.introduce(call.connection, token, at: context.access) else {
      return refuseToken(call, output: &output)
    }
    gate.admit(call.connection, as: role)
    responses.appendAuthenticate(role: role.description, callID: call.id, to: &output)
    return .introduced
  }

  private mutating func refuseToken(_ call: Call, output: inout [UInt8]) -> FrameOutcome {
    gate.admit(call.connection, as: nil)
    let refusal = RPCStatus(
      .unauthenticated, "the token is not one that this server takes; closing")
    let delay = context.access.wrongToken(
      from: peers[call.connection]?.address ?? "", at: call.receivedAt)
    if delay > .zero {
      var batch = ReplyBatch()
      batch.append(to: call.connection, tag: call.id) {
        responses.appendStatus(refusal, callID: call.id, to: &$0)
      }
      if context.access.post(batch, after: delay) {
        // While it waits it may have to make room like any stranger.
        peers.doubt(call.connection, at: context.access)
        counts.count(call.method, .unauthenticated)
        return .closeAfterReply
      }
    }
    answer = refusal.code
    responses.appendStatus(refusal, callID: call.id, to: &output)
    return .close
  }
}
