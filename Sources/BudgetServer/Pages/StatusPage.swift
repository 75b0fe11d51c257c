import Digest
import Foundation
import HTTPPort

/// The page at `/`, for people: where the budgets stand, what is denied and why, how the node is.
///
/// It is one text without anything from elsewhere, the same for everyone. Its script asks
/// `/status.json` and writes names only as text. The policy lets exactly this script and this
/// style run, by their digests: markup in a name could do nothing even if it got in.
enum StatusPage {
  static let response = HTTPResponse(
    contentType: "text/html; charset=utf-8",
    headers: [("Content-Security-Policy", policy), ("Referrer-Policy", "no-referrer")],
    body: HTTPBody(Array(html.utf8)))

  static let policy = [
    "default-src 'none'", "script-src '\(digest(of: script))'", "style-src '\(digest(of: style))'",
    "connect-src 'self'", "img-src data:", "base-uri 'none'", "form-action 'none'",
    "frame-ancestors 'none'",
  ].joined(separator: "; ")

  static let html =
    markupToStyle + "<style>" + style + "</style>" + markupToScript + "<script>" + script
    + "</script>" + markupToEnd

  static let script = scriptTexts + scriptRows + scriptNode + scriptRefresh

  /// As a content security policy names an element's content: its bytes between the tags.
  private static func digest(of content: String) -> String {
    "sha256-" + Data(SHA256Digest.bytes(of: Array(content.utf8))).base64EncodedString()
  }
}
