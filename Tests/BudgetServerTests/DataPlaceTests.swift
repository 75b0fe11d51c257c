import Testing

@testable import BudgetServer

@Suite struct DataPlaceTests {
  private func place(
    isRoot: Bool = false, writable: Set<String> = [], ledgers: Set<String> = [],
    _ environment: [String: String] = ["HOME": "/home/ada"]
  ) -> DataPlace {
    DataPlace(
      folder: "/srv/here", environment: environment, isRoot: isRoot,
      isWritable: { writable.contains($0) }, hasLedger: { ledgers.contains($0) })
  }

  @Test func theConventions() throws {
    #expect(try place().path(asked: nil) == "/home/ada/.local/state/budgetd")
    #expect(try place(isRoot: true).path(asked: nil) == "/var/lib/budgetd")
    #expect(try place(writable: ["/var/lib/budgetd"]).path(asked: nil) == "/var/lib/budgetd")
    let state = ["HOME": "/home/ada", "XDG_STATE_HOME": "/state/"]
    #expect(try place(state).path(asked: nil) == "/state/budgetd")
    #expect(
      try place(["HOME": "/home/ada", "XDG_STATE_HOME": "state"]).path(asked: nil)
        == "/home/ada/.local/state/budgetd")
  }

  @Test func nothingNamesAFolder() {
    for environment in [[:], ["HOME": ""], ["HOME": "ada", "XDG_STATE_HOME": ""]] {
      #expect(throws: ServerError.self) { try place(environment).path(asked: nil) }
    }
  }

  @Test(arguments: [
    ("/data", "/data"), ("data", "/srv/here/data"), ("./data", "/srv/here/data"),
    (".//./data/x", "/srv/here/data/x"), ("../data", "/srv/here/../data"), (".", "/srv/here"),
    ("./", "/srv/here"),
  ])
  func askedForItIsAbsolute(_ asked: String, _ path: String) throws {
    #expect(try place(isRoot: true).path(asked: asked) == path)
  }

  @Test func aLedgerThatWouldBeForgotten() throws {
    let former = "/srv/here/budgetd-data"
    let now = "/home/ada/.local/state/budgetd"
    let error = #expect(throws: ServerError.self) { try place(ledgers: [former]).path(asked: nil) }
    #expect(error?.exitCode == 69)
    let text = error?.description ?? ""
    #expect(text.contains(former) && text.contains(now) && text.contains("--data-dir"))
    // Who says where, or has one at both places, means it.
    #expect(try place(ledgers: [former]).path(asked: "/new") == "/new")
    #expect(try place(ledgers: [former, now]).path(asked: nil) == now)
    #expect(try place(ledgers: ["/srv/other/budgetd-data"]).path(asked: nil) == now)
  }

  @Test func aWordOfTheReadyLine() {
    #expect(DataPlace.word("/var/lib/budgetd") == "/var/lib/budgetd")
    #expect(DataPlace.word("/a b\n%\u{7F}") == "/a%20b%0A%25%7F")
    #expect(DataPlace.word("/é") == "/%C3%A9")
  }
}
