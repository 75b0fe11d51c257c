import BudgetModel
import BudgetWire
import Sockets
import TCPTransport

/// A lane hands its frames to this.
///
/// Confined to its lane. All that a request changes is in one value, so that a request enters it
/// once, and nothing below is looked up or guarded a second time.
final class LaneService: FrameHandler {
  private var service: BudgetService

  init(context: ServiceContext) { service = BudgetService(context: context) }

  func connectionOpened(_ connection: ConnectionID, peer: Peer) -> PeerStanding {
    service.open(connection, peer)
  }

  func client(of connection: ConnectionID) -> String { service.peers.client(of: connection) }

  func turnCost() -> Int { service.takeRecordCount() }

  func review(_ connection: ConnectionID) -> PeerStanding { service.review(connection) }

  func connectionClosed(_ connection: ConnectionID, requestsUnderWay: Int, midFrame: Bool) {
    service.forget(connection)
  }

  func replied(to connection: ConnectionID, tag: UInt64) {
    service.answered(tag, on: connection)
  }

  func handle(
    _ body: RawSpan, from connection: ConnectionID, receivedAt: MonotonicInstant,
    output: inout [UInt8]
  ) -> FrameOutcome {
    service.serve(body, from: connection, receivedAt: receivedAt, output: &output)
  }

  func turnEnded() { service.endTurn() }

  func refusal(_ reason: ConnectionRefusal, output: inout [UInt8]) {
    service.refuse(reason, output: &output)
  }
}
