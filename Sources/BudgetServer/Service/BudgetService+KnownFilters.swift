import BudgetEngine
import BudgetModel
import BudgetWire
import TCPTransport

/// Routers ask about the same candidates again and again. A message that was judged, unpacked and
/// resolved before stands for the same question while the same configuration is in force; what is
/// decided about it is decided anew each time.
extension BudgetService {
  /// Answers a request that is known well enough; nil, and nothing done, where it is not.
  @inline(__always)
  mutating func answerKnown(
    _ envelope: MethodEnvelope, from connection: ConnectionID, receivedAt: MonotonicInstant,
    output: inout [UInt8]
  ) -> FrameOutcome? {
    switch envelope.method {
    case .filterDeployments:
      filterKnown(envelope, from: connection, receivedAt: receivedAt, output: &output)
    case .recordSpend:
      recordKnown(envelope, from: connection, receivedAt: receivedAt, output: &output)
    default: nil
    }
  }

  /// Answers a filter request whose message is known; nil, and nothing done, where it is not, or
  /// where the answer needs the names that the message holds.
  private mutating func filterKnown(
    _ envelope: MethodEnvelope, from connection: ConnectionID, receivedAt: MonotonicInstant,
    output: inout [UInt8]
  ) -> FrameOutcome? {
    // Whether a closed fleet refuses it depends on what it names.
    guard context.fleet?.refusal == nil else { return nil }
    let catalog = catalogs.current()
    let now = now()
    filterReply.reset()
    guard
      let contradictions = knownFilters.decide(
        envelope.message, by: context.engine, in: catalog, at: now, into: &decision,
        &filterReply), !decision.isExhausted
    else { return nil }
    guard
      mayServe(
        envelope.callID, timeoutMilliseconds: envelope.timeoutMilliseconds, from: connection,
        receivedAt: receivedAt, output: &output)
    else {
      finish(CountedMethod.position(of: .filterDeployments), receivedAt: receivedAt)
      return .answered
    }
    counts.countContradictions(contradictions)
    fillReply(in: catalog)
    appendReply(callID: envelope.callID, output: &output)
    finish(CountedMethod.position(of: .filterDeployments), receivedAt: receivedAt)
    return .answered
  }
}
