import Testing

@testable import BudgetServer

@Suite struct ListenRuleTests {
  private func refusal(
    _ port: ListenRule.Port, _ text: String = "10.0.0.1:1", _ change: (inout ServerOptions) -> Void
  ) -> String? {
    var options = ServerOptions(configPath: "c", dataDirectory: "d")
    change(&options)
    do throws(ServerError) {
      _ = try ListenRule(options, port).address(text, of: port == .rpc ? "--listen" : "--http")
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test func onlyASafeAddressIsListenedOn() {
    let files = SecurityOptions(certificate: "c", key: "k")
    #expect(refusal(.rpc) { _ in }?.contains("nothing is encrypted or authenticated") == true)
    #expect(refusal(.rpc) { $0.accessFilePath = "a" }?.contains("tokens neither") == true)
    #expect(refusal(.rpc) { $0.security = files }?.contains("nobody has to say") == true)
    #expect(refusal(.rpc, "127.0.0.1:1") { _ in } == nil)
    #expect(refusal(.rpc) { $0.allowsInsecureNetwork = true } == nil)
    for port in [ListenRule.Port.rpc, .pages] {
      #expect(
        refusal(port) { options in
          options.security = files
          options.accessFilePath = "a"
        } == nil)
    }
  }

  /// The way out is to use the files that are given.
  @Test func theWayOutIsOneThatIsNotGoneAlready() throws {
    let without = try #require(refusal(.pages) { _ in })
    #expect(without.contains("give --tls-cert and --tls-key with --access-file"))
    let switched = try #require(
      refusal(.pages) { options in
        options.security = SecurityOptions(certificate: "c", key: "k")
        options.security?.coversPages = false
        options.accessFilePath = "a"
      })
    #expect(switched.contains("leave --http-tls on") && !switched.contains("give --tls-cert"))
  }
}
