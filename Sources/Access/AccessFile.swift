import BudgetModel
public import Documents
import SecretFiles

/// The access file: who the clients are, what they are known by, what they may do.
///
///     clients:
///       - name: router-eu
///         role: spend
///         tokens: ["sha256:6c0f..."]
///         certificates: ["uri:spiffe://example.org/router/eu", "dns:router.example.org", "cn:router"]
///         users: [1001]
public enum AccessFile {
  /// How many clients there may be.
  public static let maximumClients = 10_000
  /// How many tokens, certificates or users one client may have of each.
  public static let maximumPerClient = 16
  private static let maximumBytes = 16 << 20

  /// Reads the file at `path`; throws all that is wrong with it.
  public static func table(path: String) throws(DocumentError) -> AccessTable {
    let bytes: [UInt8]
    do throws(SecretFileError) {
      bytes = try SecretFile.bytes(path: path, atMost: maximumBytes)
    } catch {
      throw DocumentError(problems: [
        DocumentProblem(file: path, line: 1, keyPath: "", message: error.message)
      ])
    }
    return try table(yaml: bytes, file: path)
  }

  /// Reads a file's bytes; `file` is its name in messages.
  static func table(yaml bytes: [UInt8], file: String) throws(DocumentError) -> AccessTable {
    let document = try DocumentNode.parse(yaml: bytes, file: file)
    var reader = AccessReader(file: file)
    reader.read(document)
    guard reader.problems.isEmpty else { throw DocumentError(problems: reader.problems) }
    return AccessTable(reader.clients)
  }

  /// The entry of a client that is known by one token, to be put under `clients:`.
  public static func entry(name: String, role: Role, token: String) -> [String] {
    [
      "  - name: \(name)", "    role: \(role)",
      "    tokens: [\"\(TokenDigest(of: Array(token.utf8)).text)\"]",
    ]
  }

  /// Why a client cannot have that name; nil: it can. A name stands in logs, and as the user of
  /// HTTP's Basic.
  public static func complaint(aboutName name: String) -> String? {
    let isPlain = name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      default: "._-@/".utf8.contains(byte)
      }
    }
    guard isPlain, (1...64).contains(name.utf8.count) else {
      return "the name is \(DocumentProblem.quoted(name)): give 1 to 64 of A-Z a-z 0-9 . _ - @ /"
    }
    return nil
  }
}

/// Reads a document as an access file, and collects all that is wrong with it.
private struct AccessReader {
  let file: String
  var clients: [AccessTable.Client] = []
  var problems: [DocumentProblem] = []
  /// By what must stand in one place only: where it stands.
  private var places: [String: Int] = [:]

  private static let keys = ["name", "role", "tokens", "certificates", "users"]
  /// More nobody reads.
  private static let maximumProblems = 1_000

  init(file: String) { self.file = file }

  private mutating func add(_ line: Int, _ path: String, _ message: String) {
    guard problems.count < Self.maximumProblems else { return }
    problems.append(DocumentProblem(file: file, line: line, keyPath: path, message: message))
  }

  mutating func read(_ document: DocumentNode) {
    guard let mapping = document.mapping else {
      add(document.line, "", "this is \(document.words): it has to be a mapping with 'clients'")
      return
    }
    check(mapping, known: ["clients"], at: "")
    guard let list = mapping["clients"] else {
      add(document.line, "", "'clients' is missing: nobody could get in")
      return
    }
    guard let entries = list.sequence, !entries.isEmpty else {
      add(list.line, "clients", "this is \(list.isNull ? "empty" : list.words): list the clients")
      return
    }
    guard entries.count <= AccessFile.maximumClients else {
      add(
        list.line, "clients",
        "there are \(entries.count) clients, at most \(AccessFile.maximumClients) may be")
      return
    }
    for (index, entry) in entries.enumerated() { readClient(entry, at: "clients[\(index)]") }
  }

  private mutating func readClient(_ entry: DocumentNode, at path: String) {
    guard let mapping = entry.mapping else {
      add(entry.line, path, "this is \(entry.words): it has to be a mapping of name and role")
      return
    }
    check(mapping, known: Self.keys, at: path)
    let count = problems.count
    let name = name(mapping["name"], entry, path)
    let role = role(mapping["role"], entry, path)
    var client = AccessTable.Client(name: name ?? "", role: role ?? .check)
    client.tokens = values(mapping["tokens"], "\(path).tokens", Self.token)
    client.certificates = values(mapping["certificates"], "\(path).certificates", Self.certificate)
    client.users = values(mapping["users"], "\(path).users", Self.user)
    guard problems.count == count else { return }
    guard !(client.tokens.isEmpty && client.certificates.isEmpty && client.users.isEmpty) else {
      add(
        entry.line, path,
        "nobody can be \(client.name): give it tokens, certificates or users, or take it out")
      return
    }
    clients.append(client)
  }

  private mutating func check(_ mapping: DocumentMapping, known: [String], at path: String) {
    for repetition in mapping.repetitions {
      add(repetition.key.line, path, "the key \(repetition.key.words) stands twice: keep one")
    }
    for entry in mapping.entries {
      guard let key = entry.key.text else {
        add(entry.key.line, path, "the key is \(entry.key.words): it has to be a text")
        continue
      }
      if known.contains(key) { continue }
      if key == "providers" || key == "tags" {
        add(
          entry.key.line, path,
          "'\(key)' is not supported yet: a client may ask about all budgets; take the key out")
        continue
      }
      let meant = Spelling.nearest(to: key, among: known).map { "did you mean '\($0)'? " } ?? ""
      add(
        entry.key.line, path,
        "the key \(DocumentProblem.quoted(key)) is not known: \(meant)"
          + "Known are \(known.joined(separator: ", "))")
    }
  }

  private mutating func name(
    _ node: DocumentNode?, _ entry: DocumentNode, _ path: String
  ) -> String? {
    guard let node else {
      add(entry.line, path, "'name' is missing: it tells people who did what")
      return nil
    }
    guard let name = node.text else {
      add(node.line, "\(path).name", "this is \(node.words): it has to be a text")
      return nil
    }
    if let complaint = AccessFile.complaint(aboutName: name) {
      add(node.line, "\(path).name", complaint)
      return nil
    }
    let words = "the name \(name)"
    return isNew(words, as: words, node.line, "\(path).name") ? name : nil
  }

  private mutating func role(
    _ node: DocumentNode?, _ entry: DocumentNode, _ path: String
  ) -> Role? {
    let roles = Role.allCases.map(\.description).joined(separator: ", ")
    guard let node else {
      add(entry.line, path, "'role' is missing: give one of \(roles)")
      return nil
    }
    guard let role = node.text.flatMap(Role.init(name:)) else {
      add(node.line, "\(path).role", "the role is \(node.words): give one of \(roles)")
      return nil
    }
    return role
  }

  /// The entries of a list, each of which may stand in the file once.
  private mutating func values<Value>(
    _ node: DocumentNode?, _ path: String,
    _ read: (DocumentNode) -> Result<Found<Value>, Complaint>
  ) -> [Value] {
    guard let node, !node.isNull else { return [] }
    guard let nodes = node.sequence else {
      add(node.line, path, "this is \(node.words): it has to be a list")
      return []
    }
    guard nodes.count <= AccessFile.maximumPerClient else {
      add(
        node.line, path,
        "there are \(nodes.count), at most \(AccessFile.maximumPerClient) may be in one entry")
      return []
    }
    var values: [Value] = []
    for node in nodes {
      switch read(node) {
      case .success(let found):
        if isNew(found.key, as: found.name, node.line, path) { values.append(found.value) }
      case .failure(let complaint): add(node.line, path, complaint.text)
      }
    }
    return values
  }

  private mutating func isNew(
    _ key: String, as name: String, _ line: Int, _ path: String
  ) -> Bool {
    guard let place = places[key] else {
      places[key] = line
      return true
    }
    add(line, path, "\(name) stands in line \(place) already: it can be of one client only")
    return false
  }

  private struct Found<Value> {
    let value: Value
    /// The whole of it, which nothing else in the file has.
    let key: String
    /// In messages, where long ones are shortened: two that differ may look the same.
    let name: String
  }

  private struct Complaint: Error {
    let text: String

    init(_ text: String) { self.text = text }
  }

  private static func token(_ node: DocumentNode) -> Result<Found<TokenDigest>, Complaint> {
    guard let digest = node.text.flatMap({ TokenDigest($0) }) else {
      // The value is not repeated: somebody may have written the token itself.
      return .failure(
        Complaint(
          "this is not sha256: and 64 hexadecimal digits; budgetctl access new NAME makes a token "
            + "and its entry"))
    }
    let text = digest.text
    return .success(
      Found(value: digest, key: "token \(text)", name: "the token \(text.prefix(15))..."))
  }

  private static func certificate(_ node: DocumentNode) -> Result<Found<String>, Complaint> {
    let kinds = ["uri:", "dns:", "cn:"]
    guard let text = node.text, let kind = kinds.first(where: { text.hasPrefix($0) }),
      text.utf8.count > kind.utf8.count, text.utf8.count <= 512
    else {
      return .failure(
        Complaint(
          "this is \(node.words): give uri:URI, dns:NAME or cn:NAME, as the certificate has it"))
    }
    guard !text.utf8.contains(UInt8(ascii: "*")) else {
      return .failure(Complaint("\(node.words): a name with * is not one client's"))
    }
    let name = kind == "dns:" ? text.lowercased() : text
    return .success(
      Found(
        value: name, key: "certificate \(name)",
        name: "the certificate \(DocumentProblem.quoted(name))"))
  }

  private static func user(_ node: DocumentNode) -> Result<Found<UInt32>, Complaint> {
    guard case .integer(let digits) = node.value, let user = UInt32(digits), user != .max else {
      return .failure(
        Complaint("this is \(node.words): give the user's number, as id -u prints it"))
    }
    return .success(Found(value: user, key: "user \(user)", name: "the user \(user)"))
  }
}
