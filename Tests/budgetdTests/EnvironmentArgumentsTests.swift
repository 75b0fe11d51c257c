import ArgumentParser
import Testing

@testable import budgetd

@Suite struct EnvironmentArgumentsTests {
  /// Every option is a variable, and every variable an option: what `--help` says.
  @Test func theListIsWhatTheCommandTakes() {
    var options: Set<String> = []
    for word in Budgetd.helpMessage(columns: 200).split(whereSeparator: \.isWhitespace)
    where word.hasPrefix("--") {
      options.insert(String(word.dropFirst(2).prefix { $0.isLetter || $0 == "-" }))
    }
    options.subtract(["help", "version"])
    let listed = Set(EnvironmentArguments.valued + EnvironmentArguments.flags)
    #expect(listed.subtracting(options).sorted() == [], "not options")
    #expect(options.subtracting(listed).sorted() == [], "not variables")
  }

  @Test func variablesBecomeArguments() {
    #expect(
      EnvironmentArguments.arguments(from: [
        "BUDGETD_LISTEN": "127.0.0.1:0", "BUDGETD_MAX_TAGS": "5", "BUDGETD_CONFIG": "",
        "BUDGETD_INSECURE_NETWORK": "1", "OTHER": "x", "BUDGETD_REDIS_PASSWORD": "secret",
      ]) == ["--listen=127.0.0.1:0", "--max-tags=5", "--insecure-network"])
  }

  @Test(arguments: ["0", "false", "no", "off", "OFF", "False", ""])
  func flagsCanBeOff(value: String) {
    #expect(EnvironmentArguments.arguments(from: ["BUDGETD_INSECURE_NETWORK": value]) == [])
  }

  @Test func whatLooksLikeAnOptionAndIsNoneIsSaidWithoutItsValue() {
    let lines = EnvironmentArguments.complaints(about: [
      "BUDGETD_MAX_TAG": "secret", "BUDGETD_REDIS_PASWORD": "secret", "BUDGETD_LISTEN": "x",
      "BUDGETD_SERVER": "x", "BUDGETD_SERVICE_HOST": "10.0.0.1", "BUDGETD_PORT": "tcp://x",
      "BUDGETD_PORT_7077_TCP": "x", "PATH": "/bin", "BUDGETD_SOMETHING_QUITE_DIFFERENT": "x",
    ])
    #expect(
      lines == [
        "the variable BUDGETD_MAX_TAG has no effect: did you mean BUDGETD_MAX_TAGS?",
        "the variable BUDGETD_REDIS_PASWORD has no effect: did you mean BUDGETD_REDIS_PASSWORD?",
      ])
  }

  @Test func optionsThatMayBeGivenAgain() {
    let variables = ["BUDGETD_LISTEN": "127.0.0.1:1,unix:/a"]
    #expect(
      EnvironmentArguments.arguments(from: variables) == [
        "--listen=127.0.0.1:1", "--listen=unix:/a",
      ])
    for given in [["--listen", "h:1"], ["--listen=h:1"]] {
      #expect(EnvironmentArguments.arguments(from: variables, besides: given) == [])
    }
  }
}
