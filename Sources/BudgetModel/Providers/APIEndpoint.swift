/// An endpoint whose host and path tell the provider.
///
/// Matched as URLs, never as a substring: the host must be the same, the path must start with the
/// endpoint's on a whole segment.
struct APIEndpoint: Sendable {
  let host: String
  let path: String
  /// Nil: the endpoint is known, but no provider goes with it.
  let provider: String?

  init(_ endpoint: String, provider: String?) {
    (host, path) = Self.split(endpoint)
    self.provider = provider
  }

  /// Whether a deployment whose `api_base` is `url` is served from here.
  func serves(_ url: String) -> Bool {
    let (urlHost, urlPath) = Self.split(url)
    guard !host.isEmpty, host == urlHost else { return false }
    return path.isEmpty || urlPath == path || urlPath.hasPrefix(path + "/")
  }

  /// The host in lower case and the path without slashes at its end. Anything before `://` is a
  /// scheme; without one all of it is host and path.
  private static func split(_ url: String) -> (host: String, path: String) {
    var rest = Array(url.unicodeScalars)[...]
    if let mark = rest.indices.first(where: { rest[$0...].starts(with: "://".unicodeScalars) }) {
      rest = rest[(mark + 3)...]
    }
    let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    var path = rest.dropFirst(authority.count).prefix { $0 != "?" && $0 != "#" }
    // Parameters follow `;` in the last segment.
    if let slash = path.lastIndex(of: "/"), let mark = path[slash...].firstIndex(of: ";") {
      path = path[..<mark]
    }
    while path.last == "/" { path.removeLast() }
    var host = authority
    if let user = host.lastIndex(of: "@") { host = host[(user + 1)...] }
    if host.first == "[" {
      host = host.dropFirst().prefix { $0 != "]" }
    } else {
      host = host.prefix { $0 != ":" }
    }
    return (
      String(String.UnicodeScalarView(host)).lowercased(), String(String.UnicodeScalarView(path))
    )
  }
}
