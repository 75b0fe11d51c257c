import Documents

/// The servers of a cluster, or the sentinels of a master, as LiteLLM's settings list them: a list, or a
/// text of JSON that holds one.
struct RedisServerList {
  private(set) var hosts: [RedisSource.Host] = []

  /// Why a list names no servers.
  struct Complaint: Error {
    var message: String
  }

  /// The form of one entry.
  enum Form: String {
    /// `startup_nodes`.
    case mappings = "[{host: a, port: 6379}, ...]"
    /// `sentinel_nodes`.
    case pairs = "[[a, 26379], ...]"
  }

  init(_ value: DocumentNode, _ form: Form) throws(Complaint) {
    var node = value
    if let text = value.text {
      do throws(DocumentError) {
        node = try DocumentNode.parse(json: text)
      } catch {
        throw Complaint(message: "the text is not JSON: write \(form.rawValue)")
      }
    }
    guard let entries = node.sequence, !entries.isEmpty else {
      throw Complaint(
        message: "this is \(node.words), not a list of servers: write \(form.rawValue)")
    }
    guard entries.count <= RedisServersURL.hostBound else {
      throw Complaint(
        message: "these are \(entries.count) servers: name at most \(RedisServersURL.hostBound)")
    }
    for entry in entries {
      guard let host = Self.host(entry, form) else {
        throw Complaint(
          message: "a server is \(entry.words), not a host and a port: write \(form.rawValue)")
      }
      hosts.append(host)
    }
  }

  private static func host(_ entry: DocumentNode, _ form: Form) -> RedisSource.Host? {
    let name: DocumentNode?
    let port: DocumentNode?
    switch form {
    case .mappings: (name, port) = (entry.mapping?["host"], entry.mapping?["port"])
    case .pairs:
      guard let pair = entry.sequence, pair.count == 2 else { return nil }
      (name, port) = (pair[0], pair[1])
    }
    guard let text = name?.text, complaint(host: text) == nil, let digits = port?.digits,
      let number = UInt16(digits), number > 0
    else { return nil }
    return RedisSource.Host(text, number)
  }

  /// Why a host cannot be one; nil: it can.
  static func complaint(host: String) -> String? {
    if host.isEmpty { return "the host is empty: write a name or an address" }
    guard host.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
      return "the host has a blank or a control character: leave it out"
    }
    return host.contains("://")
      ? "the host is a URL: write its name alone, or the URL as url" : nil
  }
}
