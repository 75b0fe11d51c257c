import Digest
import Foundation
import HTTPPort

/// The page at `/`, for people: where the budgets stand, what is denied and why, how the node is.
///
/// It is one text without anything from elsewhere, the same for everyone: `Web/status.html` with the
/// style and the script in it that it refers to. Its script asks `/status.json` and writes names only
/// as text. The policy lets exactly this script and this style run, by their digests: markup in a
/// name could do nothing even if it got in.
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

  static let html = String(decoding: PackageResources.status_html, as: UTF8.self)
    .replacing(styleReference, with: "<style>\(style)</style>")
    .replacing(scriptReference, with: "<script>\(script)</script>")

  /// How the markup names the files, so that an editor can show the page as it stands.
  static let styleReference = #"<link rel="stylesheet" href="status.css">"#
  static let scriptReference = #"<script src="status.js"></script>"#

  static let style = content(PackageResources.status_css)
  static let script = content(PackageResources.status_js)

  /// A file's text as an element's content: without the line feed at its end.
  private static func content(_ bytes: [UInt8]) -> String {
    String(
      decoding: bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...], as: UTF8.self)
  }

  /// As a content security policy names an element's content: its bytes between the tags.
  private static func digest(of content: String) -> String {
    "sha256-" + Data(SHA256Digest.bytes(of: Array(content.utf8))).base64EncodedString()
  }
}
