import BudgetFleet
import BudgetModel
import BudgetWire
import Locks
import Reconciliation
import SpendLedger
import TCPTransport

/// Serves requests again that waited for the fleet's word on a reservation, and answers them through the
/// mailbox of late replies.
final class ReservationDesk: WaitingDesk {
  /// One value, entered by the thread that talks to the store alone: the lock is never waited for.
  private let service: Locked<BudgetService>
  private let recorder: LedgerRecorder
  private let bounds: WireBounds

  init(_ context: ServiceContext, _ recorder: LedgerRecorder) {
    var context = context
    // Names were counted, and told of, when the request came.
    context.counters = ServiceCounters()
    context.contradictions = ProviderContradictions { _ in }
    service = Locked(BudgetService(context: context))
    bounds = context.bounds
    self.recorder = recorder
  }

  func tryAgain(_ call: WaitingCall) -> WaitingRoom.Outcome {
    var output: [UInt8] = []
    let lacks = NameBytes.with(call.frame) { frame in
      frame.withBytes { bytes in
        service.withLock { $0.serveAgain(call, bytes, output: &output) }
      }
    }
    if let lacks { return .lacking(lacks) }
    post(output, to: call)
    return .decided
  }

  func giveUp(_ call: WaitingCall, _ reason: WaitingEnd) {
    let method = method(of: call)
    let isExtension = method == MethodName.extendReservation.position
    let status = ServiceRefusal(waitedInVain: reason, extending: isExtension).status
    recorder.requests.count(method, status.code)
    var output: [UInt8] = []
    recorder.responses.appendStatus(status, callID: call.id, to: &output)
    post(output, to: call)
  }

  private func method(of call: WaitingCall) -> Int {
    NameBytes.with(call.frame) { frame in
      frame.withBytes { bytes in
        let head = try? RequestHead(frame: bytes, bounds: bounds)
        return head?.method?.position ?? CountedMethod.unknown
      }
    }
  }

  private func post(_ frame: [UInt8], to call: WaitingCall) {
    var batch = ReplyBatch()
    recorder.reply(to: LedgerToken(high: call.connection, low: call.id), in: &batch) {
      $1.append(contentsOf: frame)
    }
    recorder.post(batch)
  }
}
