import Digest

/// The token of a page's form: whoever posts the form has read the page, and as the one who posts.
///
/// A page of somewhere else can have a browser post here, with the name and the password that the browser
/// knows; it cannot read what is answered, and so has no token. A token is one client's, for as long as
/// the process runs.
struct FormToken: Sendable {
  private let secret: [UInt8]

  /// A secret of its own.
  init() {
    var random = SystemRandomNumberGenerator()
    secret = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) }
  }

  /// The token of a client.
  func text(for name: String) -> String {
    let digest = SHA256Digest.bytes(of: secret + Array(name.utf8) + secret)
    return digest.map { byte in
      (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }.joined()
  }

  /// Whether `text` is the client's. Takes the same time however much of it is right.
  func isRight(_ text: String, for name: String) -> Bool {
    let right = Array(self.text(for: name).utf8)
    let given = Array(text.utf8)
    guard given.count == right.count else { return false }
    return zip(given, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
  }
}
