import BudgetModel
import BudgetWire
import TCPTransport

/// What a lane hands its frames to: decodes each and has it served.
///
/// Confined to its lane. All that a request changes is in two values, so that a request enters each
/// of them once, and nothing below is looked up or guarded a second time.
final class LaneService: FrameHandler {
  private var decoder: RequestDecoder
  private var service: BudgetService
  /// A trace needs the names that messages hold: then none is answered by what it meant before.
  private let answersKnown: Bool

  init(context: ServiceContext) {
    decoder = RequestDecoder(bounds: context.bounds)
    service = BudgetService(context: context)
    answersKnown = context.trace == nil
  }

  func connectionOpened(_ connection: ConnectionID) {}

  func connectionClosed(_ connection: ConnectionID, requestsUnderWay: Int, midFrame: Bool) {
    service.forget(connection)
  }

  func replied(to connection: ConnectionID, tag: UInt64) {
    service.forget(tag, on: connection)
  }

  func handle(
    _ body: RawSpan, from connection: ConnectionID, receivedAt: MonotonicInstant,
    output: inout [UInt8]
  ) -> FrameOutcome {
    let envelope = MethodEnvelope(frame: body)
    if let envelope, answersKnown,
      let outcome = service.answerKnown(
        envelope, from: connection, receivedAt: receivedAt, output: &output)
    {
      return outcome
    }
    let message = envelope?.message ?? .absent
    do throws(WireRefusal) {
      return try decoder.withRequest(frame: body) { request in
        service.serve(
          request, message: message, from: connection, receivedAt: receivedAt, output: &output)
      }
    } catch {
      service.reply(error.status, to: error.callID, output: &output)
      service.finish(CountedMethod.unknown, receivedAt: receivedAt)
      return .answered
    }
  }

  func turnEnded() { service.endTurn() }

  func refusal(_ reason: ConnectionRefusal, output: inout [UInt8]) {
    service.reply(BudgetService.status(of: reason), to: 0, output: &output)
    // It answers no request: the transport counts it.
    service.answer = .ok
  }
}
