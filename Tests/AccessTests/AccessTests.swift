import Documents
import Testing

@testable import Access

/// Numbers in order, so that tokens are known beforehand.
private struct CountingGenerator: RandomNumberGenerator {
  var count: UInt64 = 0

  mutating func next() -> UInt64 {
    count += 0x0101_0101_0101_0101
    return count
  }
}

@Suite struct AccessFileTests {
  static let first = "sha256:" + String(repeating: "a1", count: 32)
  static let second = "sha256:" + String(repeating: "b2", count: 32)

  private func table(_ text: String) throws -> AccessTable {
    try AccessFile.table(yaml: Array(text.utf8), file: "access.yaml")
  }

  private func problems(_ text: String) -> [String] {
    do throws(DocumentError) {
      _ = try AccessFile.table(yaml: Array(text.utf8), file: "access.yaml")
      return []
    } catch {
      return error.problems.map(\.description)
    }
  }

  private func client(_ lines: String...) -> String {
    "clients:\n  - " + lines.joined(separator: "\n    ") + "\n"
  }

  @Test func aWholeFileIsRead() throws {
    let secret = "bd_secret"
    let digest = TokenDigest(of: Array(secret.utf8)).text
    let table = try table(
      """
      clients:
        - name: router-eu
          role: spend
          tokens: [\(digest), "\(Self.second)"]
          certificates: ["uri:spiffe://example.org/eu", "dns:Router.Example.org", "cn:router-eu"]
          users: [1001]
        - name: prometheus
          role: read
          tokens:
            - \(Self.first.uppercased().replacing("SHA256", with: "sha256"))
      """)
    #expect(table.count == 2)
    #expect(!table.isOpen)
    let router = Principal(name: "router-eu", role: .spend)
    #expect(table.identity(token: Array(secret.utf8))?.principal == router)
    #expect(table.identity(token: Array("bd_secreT".utf8)) == nil)
    #expect(table.identity(token: []) == nil)
    for name in ["uri:spiffe://example.org/eu", "dns:router.example.org", "cn:router-eu"] {
      let identity = table.identity(certificateNames: ["cn:other", name], user: nil)
      #expect(identity == Identity(principal: router, credential: .certificate(name)))
    }
    #expect(table.identity(certificateNames: ["cn:x"], user: 1001)?.credential == .user(1001))
    #expect(table.identity(certificateNames: [], user: 0) == nil)
    #expect(table.identity(certificateNames: [], user: nil) == nil)
  }

  @Test func aCertificateComesBeforeAUser() throws {
    let table = try table(
      """
      clients:
        - {name: a, role: check, users: [7]}
        - {name: b, role: read, certificates: ["cn:b"]}
      """)
    #expect(table.identity(certificateNames: ["cn:b"], user: 7)?.principal.name == "b")
  }

  @Test func theDifferencesOfTwoFilesAreTold() throws {
    let before = try table(
      """
      clients:
        - {name: a, role: check, users: [7]}
        - {name: b, role: read, users: [8]}
        - {name: c, role: spend, users: [9]}
        - {name: d, role: read, users: [10]}
      """)
    let after = try table(
      """
      clients:
        - {name: d, role: read, users: [10]}
        - {name: e, role: admin, users: [11]}
        - {name: b, role: admin, users: [8, 12]}
        - {name: c, role: spend, users: [13]}
      """)
    #expect(
      before.changes(to: after) == [
        "client a is gone", "client b has the role admin, it had read",
        "client c is known by other tokens, certificates or users", "client e is new",
      ])
    #expect(before.changes(to: before).isEmpty)
  }

  @Test func aCredentialIsLookedUpAgain() throws {
    let table = try table(client("name: a", "role: read", "tokens: [\(Self.first)]", "users: [7]"))
    let digest = try #require(TokenDigest(Self.first))
    #expect(table.principal(knownBy: .token(digest))?.role == .read)
    #expect(table.principal(knownBy: .user(7))?.name == "a")
    #expect(table.principal(knownBy: .user(8)) == nil)
    #expect(table.principal(knownBy: .certificate("cn:a")) == nil)
    #expect(table.principal(knownBy: .nothing) == nil)
    let other = try #require(TokenDigest(Self.second))
    #expect(table.principal(knownBy: .token(other)) == nil)
  }

  /// All 32 bytes count, not the 16 that it is looked up by.
  @Test(arguments: [8, 39, 40, 70])
  func aDigestThatDiffersInOneDigitIsAnother(position: Int) throws {
    let table = try table(client("name: a", "role: read", "tokens: [\(Self.first)]"))
    var digits = Array(Self.first)
    digits[position] = "0"
    let other = try #require(TokenDigest(String(digits)))
    #expect(table.principal(knownBy: .token(other)) == nil)
  }

  @Test func withoutAFileEverybodyIsAdmin() {
    let table = AccessTable.open
    #expect(table.isOpen)
    #expect(table.identity(token: [1])?.principal.role == .admin)
    #expect(
      table.identity(certificateNames: ["cn:x"], user: nil)?.principal
        == Principal(name: "cn:x", role: .admin))
    #expect(table.identity(certificateNames: [], user: 5)?.principal.name == "uid:5")
    #expect(table.identity(certificateNames: [], user: nil)?.principal.name == "anybody")
  }

  @Test func rolesAreInOrder() {
    #expect(Role.allCases.map(\.description) == ["check", "read", "spend", "admin"])
    #expect(Role.allCases == Role.allCases.sorted())
    #expect(Role.check < .read && .read < .spend && .spend < .admin)
  }

  @Test(arguments: [
    ("", "access.yaml:1: this is null: it has to be a mapping with 'clients'"),
    ("other: 1", "the key 'other' is not known: Known are clients"),
    ("clients:", "access.yaml:1: clients: this is empty: list the clients"),
    ("clients: []", "clients: this is a list: list the clients"),
    ("clients: {a: 1}", "clients: this is a mapping: list the clients"),
    ("clients: [1]", "clients[0]: this is the number 1"),
    ("clients: [{role: read, users: [1]}]", "clients[0]: 'name' is missing"),
    ("clients: [{name: a, users: [1]}]", "clients[0]: 'role' is missing: give one of check, read"),
    ("clients: [{name: a, role: root, users: [1]}]", "clients[0].role: the role is 'root'"),
    ("clients: [{name: 'a b', role: read, users: [1]}]", "clients[0].name: the name is 'a b'"),
    ("clients: [{name: 'a:b', role: read, users: [1]}]", "clients[0].name: the name is 'a:b'"),
    ("clients: [{name: 1, role: read, users: [1]}]", "clients[0].name: this is the number 1"),
    ("clients: [{name: a, role: read}]", "clients[0]: nobody can be a: give it tokens"),
    ("clients: [{name: a, role: read, token: [x]}]", "did you mean 'tokens'?"),
    ("clients: [{name: a, role: read, users: [1], tags: [x]}]", "'tags' is not supported yet"),
    ("clients: [{name: a, role: read, users: [1], providers: []}]", "'providers' is not supported"),
    ("clients: [{name: a, role: read, users: [1], name: b}]", "the key 'name' stands twice"),
    ("clients: [{name: a, role: read, users: 1}]", "clients[0].users: this is the number 1"),
    ("clients: [{name: a, role: read, users: [root]}]", "as id -u prints it"),
    ("clients: [{name: a, role: read, users: [-1]}]", "as id -u prints it"),
    ("clients: [{name: a, role: read, users: [4294967295]}]", "as id -u prints it"),
    ("clients: [{name: a, role: read, tokens: [bd_x]}]", "budgetctl access new NAME"),
    ("clients: [{name: a, role: read, tokens: ['sha256:00']}]", "64 hexadecimal digits"),
    ("clients: [{name: a, role: read, certificates: [x]}]", "give uri:URI, dns:NAME or cn:NAME"),
    ("clients: [{name: a, role: read, certificates: ['cn:']}]", "give uri:URI, dns:NAME"),
    ("clients: [{name: a, role: read, certificates: ['dns:*.x']}]", "a name with *"),
  ])
  func faultsAreNamed(text: String, complaint: String) {
    let found = problems(text)
    #expect(found.contains { $0.contains(complaint) }, "\(found)")
  }

  @Test func aSecretIsNotRepeated() {
    let found = problems(client("name: a", "role: read", "tokens: [bd_very-secret]"))
    #expect(found.count == 1)
    #expect(!found.joined().contains("very-secret"))
  }

  @Test(arguments: [
    ("tokens: [\(first)]", "the token sha256:a1a1a1a1... stands in line 4 already"),
    ("certificates: ['cn:x']", "the certificate 'cn:x' stands in line 4 already"),
    ("users: [7]", "the user 7 stands in line 4 already"),
  ])
  func nothingStandsInTwoClients(line: String, complaint: String) {
    let found = problems(
      client("name: a", "role: read", line) + "  - name: b\n    role: read\n    \(line)\n")
    #expect(found.contains { $0.hasPrefix("access.yaml:7:") && $0.contains(complaint) }, "\(found)")
  }

  /// Messages shorten both; whether they are the same is another question.
  @Test(arguments: [
    (
      "tokens: [sha256:\(String(repeating: "a1", count: 32))]",
      "tokens: [sha256:\(String(repeating: "a1", count: 31))a2]"
    ),
    (
      "certificates: ['uri:\(String(repeating: "x", count: 200))1']",
      "certificates: ['uri:\(String(repeating: "x", count: 200))2']"
    ),
  ])
  func whatDiffersInItsEndOnlyIsOfTwoClients(one: String, other: String) {
    let found = problems(
      client("name: a", "role: read", one) + "  - name: b\n    role: read\n    \(other)\n")
    #expect(found.isEmpty, "\(found)")
  }

  @Test func aNameStandsOnce() {
    let found = problems(
      "clients: [{name: a, role: read, users: [1]}, {name: a, role: read, users: [2]}]")
    #expect(
      found == [
        "access.yaml:1: clients[1].name: the name a stands in line 1 already: it can be of one client only"
      ])
  }

  @Test func theListsAreBounded() {
    func text(_ clients: Int, _ users: Int) -> String {
      "clients:\n"
        + (0..<clients).map { client in
          let list = (0..<users).map { "\(client * users + $0)" }.joined(separator: ", ")
          return "  - {name: c\(client), role: read, users: [\(list)]}\n"
        }.joined()
    }
    #expect(problems(text(1, AccessFile.maximumPerClient)).isEmpty)
    #expect(problems(text(1, AccessFile.maximumPerClient + 1)).count == 1)
    #expect(problems(text(AccessFile.maximumClients, 1)).isEmpty)
    #expect(
      problems(text(AccessFile.maximumClients + 1, 1)).first?.contains("there are 10001 clients")
        == true)
  }

  @Test func aFileThatCannotBeReadIsAProblemOfTheFile() {
    let error = #expect(throws: DocumentError.self) {
      try AccessFile.table(path: "/nowhere/access")
    }
    #expect(
      error?.problems.first?.description.hasPrefix("/nowhere/access:1: the file cannot be") == true)
  }
}

@Suite struct AccessTokenTests {
  @Test(
    arguments: [
      ([], ""), ([0xFF], "_w"), ([0xFB, 0xFF], "-_8"), ([1, 2, 3], "AQID"),
      (Array(0...31), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"),
    ] as [([UInt8], String)])
  func base64IsTheOneForURLs(bytes: [UInt8], text: String) {
    #expect(AccessToken.base64URL(bytes) == text)
  }

  @Test func aTokenHas256RandomBits() {
    var generator = CountingGenerator()
    let token = AccessToken.random(using: &generator)
    #expect(token == "bd_AQEBAQEBAQECAgICAgICAgMDAwMDAwMDBAQEBAQEBAQ")
    #expect(token.utf8.count == 46)
    var system = SystemRandomNumberGenerator()
    let tokens = Set((0..<100).map { _ in AccessToken.random(using: &system) })
    #expect(tokens.count == 100)
  }

  @Test func aDigestReadsBackAsItIsWritten() throws {
    // printf '%s' bd_test | sha256sum
    let digest = TokenDigest(of: Array("bd_test".utf8))
    #expect(TokenDigest(digest.text) == digest)
    #expect(
      digest.text == "sha256:903e494eccd9d8c4896d6cd23b676ebd5c9a7216d15b6986ce424714dfacfbf4")
    let zero = "sha256:" + String(repeating: "0", count: 64)
    #expect(try #require(TokenDigest(zero)).text == zero)
    for text in ["", zero + "0", String(zero.dropLast()), zero.uppercased(), zero.dropLast() + "+"]
    {
      #expect(TokenDigest(text) == nil)
    }
  }

  @Test func anEntryIsReadBack() throws {
    let lines = AccessFile.entry(name: "a", role: .spend, token: "bd_x")
    let table = try AccessFile.table(
      yaml: Array((["clients:"] + lines).joined(separator: "\n").utf8), file: "f")
    #expect(
      table.identity(token: Array("bd_x".utf8))?.principal == Principal(name: "a", role: .spend))
  }
}
