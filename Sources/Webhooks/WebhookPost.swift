import BudgetModel
import CCurl

/// libcurl, in the one file that touches it.
enum WebhookPost {
  /// Why there is no libcurl; nil: there is.
  static var complaint: String? {
    var words: UnsafePointer<CChar>?
    if unsafe ccurl_load(&words) { return nil }
    return unsafe words.map { unsafe String(cString: $0) } ?? "there is no libcurl"
  }

  /// The failure of a transfer, by libcurl's number and words.
  struct Failure: Error {
    var words: String
  }

  /// Sends `body` and waits for the answer. The status of it.
  static func send(_ request: WebhookRequest, to target: WebhookTarget) throws(Failure) -> Int {
    let (code, status, words) = unsafe request.body.withUnsafeBytes {
      body -> (Int32, Int, String) in
      // A message has a byte at least.
      guard let bytes = body.baseAddress else { preconditionFailure("an empty message") }
      return unsafe strings(request, target) { url, key, agent, authorities in
        var post = unsafe ccurl_request(
          url: url, body: bytes, length: body.count, key_header: key, agent_header: agent,
          authorities: authorities, timeout_ms: Int(target.timeoutMilliseconds))
        let result = unsafe ccurl_post(&post)
        return unsafe (result.failure, Int(result.status), String(cString: result.words))
      }
    }
    guard code == 0 else { throw Failure(words: words) }
    return status
  }

  private static func strings<Result>(
    _ request: WebhookRequest, _ target: WebhookTarget,
    _ body: (
      UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafePointer<CChar>?
    ) -> Result
  ) -> Result {
    unsafe target.url.revealed.withCString { url in
      unsafe "Idempotency-Key: \(request.id)".withCString { key in
        unsafe "User-Agent: \(request.agent)".withCString { agent in
          guard let authorities = target.authorities else {
            return unsafe body(url, key, agent, nil)
          }
          return unsafe authorities.withCString { unsafe body(url, key, agent, $0) }
        }
      }
    }
  }
}
