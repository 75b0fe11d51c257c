public import BudgetModel
import Foundation
import SecretFiles

/// A message to a webhook.
public struct WebhookRequest: Hashable, Sendable {
  /// The id that every delivery of it has: header `Idempotency-Key`.
  public var id: String
  /// JSON.
  public var body: [UInt8]
  /// Who sends it, as `budgetd/0.9.1`.
  var agent: String { "budgetd/\(ReleaseVersion.text)" }

  /// Makes a message. Precondition: the body is not empty.
  public init(id: String, body: [UInt8]) {
    precondition(!body.isEmpty, "a message to a webhook has a body")
    self.id = id
    self.body = body
  }
}

/// A receiver whose address is known.
public struct WebhookTarget: Hashable, Sendable {
  let url: WebhookURL
  let timeoutMilliseconds: Int64
  let authorities: String?

  /// How long it may take to answer.
  public var timeout: Duration { .milliseconds(timeoutMilliseconds) }

  /// Reads the files that the settings name. Throws why one is of no use, or that there is no libcurl.
  public init(_ settings: AlertWebhook) throws(WebhookError) {
    if let complaint = WebhookPost.complaint {
      throw WebhookError("alerts need libcurl: \(complaint)")
    }
    switch settings.address {
    case .given(let url, _): self.url = url
    case .file(let path): url = try Self.url(path: path)
    }
    timeoutMilliseconds = settings.timeoutMilliseconds
    authorities = settings.authorities
    if let authorities, !FileManager.default.isReadableFile(atPath: authorities) {
      throw WebhookError(
        "alerts.webhook.ca_file: \(authorities) is not a file that this process may read")
    }
  }

  private static func url(path: String) throws(WebhookError) -> WebhookURL {
    let line: String
    do throws(SecretFileError) {
      line = try SecretFile.line(path: path, what: "webhook's address")
    } catch {
      throw WebhookError("alerts.webhook.url_file: \(path): \(error)")
    }
    do throws(WebhookURLError) {
      return try WebhookURL(line)
    } catch {
      throw WebhookError("alerts.webhook.url_file: \(path): \(error)")
    }
  }

  /// Sends a message and waits for the answer, for `timeout` at most.
  public func send(_ request: WebhookRequest) -> WebhookAnswer {
    do throws(WebhookPost.Failure) {
      let status = try WebhookPost.send(request, to: self)
      return (200..<300).contains(status) ? .taken(status) : .refused(status)
    } catch {
      return .failed(error.words)
    }
  }
}

/// The receiver's answer to a message.
public enum WebhookAnswer: Hashable, Sendable, CustomStringConvertible {
  /// It has it: a status of 200 to 299.
  case taken(Int)
  /// It answered with another status.
  case refused(Int)
  /// There was no answer, and why, in words without the address.
  case failed(String)

  /// Whether the receiver has it.
  public var isTaken: Bool { if case .taken = self { true } else { false } }

  /// In words without the address.
  public var description: String {
    switch self {
    case .taken(let status): "the webhook answered \(status)"
    case .refused(let status) where (300..<400).contains(status):
      "the webhook answered \(status): it leads elsewhere, and nothing follows it; give the last address"
    case .refused(let status): "the webhook answered \(status)"
    case .failed(let words): "the webhook did not answer: \(words)"
    }
  }
}

/// Why a receiver cannot be used, in words without its address.
public struct WebhookError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The complaint.
  public let description: String

  init(_ description: String) { self.description = description }
}
