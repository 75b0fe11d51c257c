import Access
import BudgetEngine
import BudgetModel
import BudgetWire
import SpendLedger
import TCPTransport

/// Answers the methods that change budgets, and tells what was changed: off the lane, each in its
/// turn.
struct Administration {
  let context: ServiceContext
  let author: ChangeAuthor
  let token: LedgerToken
  let method: MethodName

  init(
    _ call: Call, _ method: MethodName?, by peer: LanePeers.Entry?, _ context: ServiceContext
  ) {
    self.context = context
    author = peer?.author ?? .nobody
    token = call.token
    self.method = method ?? .setBudget
  }

  /// A call that is refused for who makes it is written down where only administrators may make it.
  static func noted(
    _ refusal: RPCStatus, of method: MethodName?, by peer: LanePeers.Entry?,
    _ context: ServiceContext
  ) -> ServiceRefusal {
    let isForWho = refusal.code == .permissionDenied || refusal.code == .unauthenticated
    if let method, isForWho, method.leastRole == .admin {
      context.audit.noteRefused(
        method.description, by: peer?.author ?? .nobody, refusal.message)
    }
    return ServiceRefusal(refusal)
  }

  /// Takes a call; its reply comes later.
  func take(
    _ head: RequestHead, _ decoder: inout RequestDecoder
  ) throws(ServiceRefusal) {
    let work: @Sendable (ChangeDesk) -> Void
    do throws(ServiceRefusal) {
      work = try read(head, &decoder)
    } catch {
      if method.leastRole == .admin {
        context.audit.noteRefused(method.description, by: author, error.status.message)
      }
      throw error
    }
    guard let desk = context.changes else {
      throw ServiceRefusal(.unavailable, "this server changes no budgets")
    }
    guard desk.take({ work(desk) }) else {
      throw ServiceRefusal(
        .unavailable,
        "\(ChangeDesk.waitingBound) changes wait already: try again in a second")
    }
  }

  /// Reads a call: the work that it asks of the desk.
  private func read(
    _ head: RequestHead, _ decoder: inout RequestDecoder
  ) throws(ServiceRefusal) -> @Sendable (ChangeDesk) -> Void {
    switch method {
    case .setBudget: try setBudget(head, &decoder)
    case .clearBudget: try clearBudget(head, &decoder)
    case .resetBudget: try resetBudget(head, &decoder)
    case .listChanges: try listChanges(head, &decoder)
    case .reloadConfig: try reloadConfig(head, &decoder)
    default: throw ServiceRefusal(.internal, "\(method) changes no budgets")
    }
  }

  /// Sends what `write` appends, or the refusal.
  func answer<Answer>(
    _ result: Result<Answer, ServiceRefusal>, of desk: ChangeDesk,
    _ write: (ResponseWriter, Answer, UInt64, inout [UInt8]) -> Void
  ) {
    let recorder = desk.recorder
    var batch = ReplyBatch()
    recorder.reply(to: token, in: &batch) { callID, output in
      switch result {
      case .success(let answer):
        recorder.requests.count(method.position, .ok)
        write(recorder.responses, answer, callID, &output)
      case .failure(let refusal):
        recorder.requests.count(method.position, refusal.status.code)
        recorder.responses.appendStatus(refusal.status, callID: callID, to: &output)
      }
    }
    recorder.post(batch)
  }
}

extension LanePeers.Entry {
  /// Who does something.
  var author: ChangeAuthor {
    ChangeAuthor(name: identity?.principal.name ?? "nobody", place: address)
  }
}
