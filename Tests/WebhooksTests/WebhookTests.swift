import BudgetModel
import Foundation
import Locks
import Testing

@testable import Webhooks

/// Real receivers are those of Tests/Integration/test_alerts.py.
@Suite struct WebhookTests {
  private func settings(
    _ address: AlertWebhook.Address, _ change: (inout AlertWebhook) -> Void = { _ in }
  ) -> AlertWebhook {
    var settings = AlertWebhook(address)
    settings.timeoutMilliseconds = 500
    change(&settings)
    return settings
  }

  private func given(_ url: String) throws -> AlertWebhook.Address {
    .given(try WebhookURL(url), variable: nil)
  }

  private func withFile<Result>(
    _ contents: String, mode: Int = 0o600, _ body: (String) throws -> Result
  ) throws -> Result {
    let path = FileManager.default.temporaryDirectory.appending(path: "url-\(UUID())").path
    #expect(
      FileManager.default.createFile(
        atPath: path, contents: Data(contents.utf8), attributes: [.posixPermissions: mode]))
    defer {
      // A file of temporary ones that stays does no harm.
      try? FileManager.default.removeItem(atPath: path)
    }
    return try body(path)
  }

  @Test func libcurlIsThere() {
    #expect(WebhookPost.complaint == nil)
  }

  @Test func anAddressMayLieInAFile() throws {
    let target = try withFile("https://example.org/hush\n") {
      try WebhookTarget(settings(.file($0)))
    }
    #expect(target.url.revealed == "https://example.org/hush")
    #expect(target.timeout == .milliseconds(500))
  }

  @Test func filesThatAreNoGoodAreNamedAndTheirContentsAreNot() throws {
    func complaint(_ contents: String, mode: Int = 0o600) throws -> String {
      try withFile(contents, mode: mode) { path in
        do throws(WebhookError) {
          _ = try WebhookTarget(settings(.file(path)))
          return ""
        } catch {
          #expect("\(error)".hasPrefix("alerts.webhook.url_file: \(path): "))
          return "\(error)"
        }
      }
    }
    #expect(try complaint("https://example.org/hush", mode: 0o644).contains("chmod 600"))
    for contents in ["", "hush", "https://a/hush\nhush", "https:// hush"] {
      let text = try complaint(contents)
      #expect(!text.isEmpty && !text.contains("hush"), "\(contents): \(text)")
    }
    #expect(throws: WebhookError.self) { try WebhookTarget(settings(.file("/no/such/file"))) }
    #expect(throws: WebhookError.self) {
      try WebhookTarget(settings(try given("https://a/x")) { $0.authorities = "/no/such/file" })
    }
  }

  @Test func aReceiverThatIsNotThereIsToldInWordsWithoutItsAddress() throws {
    let target = try WebhookTarget(settings(try given("http://127.0.0.1:1/hush")))
    let answer = target.send(WebhookRequest(id: "7", body: [0x7B, 0x7D]))
    guard case .failed(let words) = answer else {
      Issue.record("\(answer)")
      return
    }
    #expect(!words.isEmpty && !words.contains("hush") && !words.contains("127.0.0.1"))
    #expect(!answer.isTaken && "\(answer)".hasPrefix("the webhook did not answer: "))
  }

  @Test func onlyAStatusOf200To299IsAnAnswer() {
    #expect(WebhookAnswer.taken(204).isTaken)
    #expect(!WebhookAnswer.refused(404).isTaken && !WebhookAnswer.failed("x").isTaken)
    #expect("\(WebhookAnswer.refused(301))".contains("leads elsewhere"))
  }

  @Test func theThreadWorksInTurnAndTakesSoManyAndNoMore() {
    let thread = WebhookThread()
    let (begun, goOn) = (Promise<Void>(), Promise<Void>())
    let done = Locked<[Int]>([])
    #expect(
      thread.take {
        begun.fulfil(())
        goOn.wait()
        done.withLock { $0.append(0) }
      })
    begun.wait()
    for number in 1...WebhookThread.mostWaiting {
      #expect(thread.take { done.withLock { $0.append(number) } })
    }
    #expect(!thread.take {})
    let last = Promise<Void>()
    goOn.fulfil(())
    while !thread.take({ last.fulfil(()) }) {}
    last.wait()
    #expect(done.withLock { $0 } == Array(0...WebhookThread.mostWaiting))
    thread.end(within: .seconds(10))
    #expect(!thread.take {})
  }

  @Test func theEndDoesNotWaitForWhatHangs() {
    let thread = WebhookThread()
    let (begun, goOn) = (Promise<Void>(), Promise<Void>())
    let isDone = Locked(false)
    #expect(
      thread.take {
        begun.fulfil(())
        goOn.wait()
      })
    begun.wait()
    #expect(thread.take { isDone.withLock { $0 = true } })
    thread.end(within: .milliseconds(1))
    goOn.fulfil(())
    thread.end(within: .seconds(10))
    #expect(!isDone.withLock { $0 }, "what waited is given up")
  }
}
