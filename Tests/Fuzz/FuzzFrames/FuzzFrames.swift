import WholeRequests

@testable import BudgetWire

/// One input: a frame's body as a request, through the walk, the quick decoder and protobuf-c, and as
/// a response to a client. What the walk lets through, protobuf-c unpacks, within the arena's bound.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzFrames(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let message = unsafe Array(UnsafeBufferPointer(start: data, count: count))
  var decoder = RequestDecoder()
  do throws(WireRefusal) {
    _ = try decoder.withRequest(frame: message.span) { request in
      switch request.method {
      case .filterDeployments(let view), .explainRequest(let view): view.deploymentCount
      case .recordSpend(let view): view.tagCount
      default: 0
      }
    }
    precondition(passesWalk(message), "protobuf-c took what the walk refuses")
  } catch {
    precondition(error.fault != .notUnpacked || !passesWalk(message), "the walk let it through")
  }
  precondition(decoder.lastRequestArenaBytes <= 4 * 1024 * 1024, "the arena's bound")
  var responses = ResponseDecoder()
  // A refusal is an answer.
  _ = try? responses.response(frame: message.span)
  return 0
}

private func passesWalk(_ message: [UInt8]) -> Bool {
  do {
    let head = try RequestHead(frame: unsafe message.span.bytes, bounds: .standard)
    try WireWalk.judge(head, bounds: .standard)
    return true
  } catch {
    return false
  }
}
