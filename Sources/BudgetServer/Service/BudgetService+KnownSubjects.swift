import BudgetEngine
import BudgetModel
import BudgetWire
import SpendLedger
import TCPTransport

/// Costs come again and again for the same provider, deployment, model and tags. What these were
/// resolved to is used while the same configuration is in force; cost and key are each record's own.
extension BudgetService {
  /// Records a request whose subject is known; nil, and nothing done, where it is not, or where
  /// something is wrong with it.
  mutating func recordKnown(
    _ envelope: MethodEnvelope, from connection: ConnectionID, receivedAt: MonotonicInstant,
    output: inout [UInt8]
  ) -> FrameOutcome? {
    guard let record = PlainRecord(envelope.message),
      let place = knownSubjects.place(of: record.subject, under: catalogs.current().generation),
      let amount = try? PicoUSD(dollars: record.costUSD, atMost: .maximumRecord),
      record.idempotencyKey.isWellFormed
    else { return nil }
    let counted = CountedMethod.position(of: .recordSpend)
    guard
      mayServe(
        envelope.callID, timeoutMilliseconds: envelope.timeoutMilliseconds, from: connection,
        receivedAt: receivedAt, output: &output)
    else {
      finish(counted, receivedAt: receivedAt)
      return .answered
    }
    let token = LedgerToken(high: connection.word, low: envelope.callID)
    let key = identity(of: record.idempotencyKey).map { identity in
      knownSubjects.withMeaning(at: place) { identity.key(with: &$0.text, cost: amount) }
    }
    let charged = knownSubjects.charged(at: place)
    do throws(ServiceRefusal) {
      if try charge(amount, key: key, to: charged, token: token, output: &output) {
        wait(for: envelope.callID, counted, receivedAt: receivedAt, on: connection)
        return .deferred
      }
    } catch {
      reply(error.status, to: envelope.callID, output: &output)
    }
    finish(counted, receivedAt: receivedAt)
    return .answered
  }
}
