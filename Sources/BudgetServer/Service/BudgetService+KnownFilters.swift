import BudgetEngine
import BudgetModel
import BudgetWire
import TCPTransport

/// Routers ask about the same candidates again and again. A message that was judged, unpacked and
/// resolved before stands for the same question while the same configuration is in force; what is
/// decided about it is decided anew each time.
extension BudgetService {
  /// Answers a filter request whose message is known; nil, and nothing done, where it is not, or
  /// where the answer needs the names that the message holds.
  mutating func answerKnown(
    _ envelope: FilterEnvelope, from connection: ConnectionID, receivedAt: MonotonicInstant,
    output: inout [UInt8]
  ) -> FrameOutcome? {
    // Whether a closed fleet refuses it depends on what it names.
    guard context.fleet?.refusal == nil else { return nil }
    let catalog = catalogs.current()
    guard
      knownFilters.decide(
        envelope.message, by: context.engine, in: catalog, at: context.time.now(),
        into: &decision), !decision.isExhausted
    else { return nil }
    guard
      mayServe(
        envelope.callID, timeoutMilliseconds: envelope.timeoutMilliseconds, from: connection,
        receivedAt: receivedAt, output: &output)
    else {
      finish(CountedMethod.position(of: .filterDeployments), receivedAt: receivedAt)
      return .answered
    }
    fillReply(group: [], in: catalog)
    appendReply(callID: envelope.callID, output: &output)
    finish(CountedMethod.position(of: .filterDeployments), receivedAt: receivedAt)
    return .answered
  }
}
