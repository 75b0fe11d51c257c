import Access
import ArgumentParser
import BudgetClient
import BudgetModel
import Documents
import Foundation
import LiteLLMConfig
import Testing

@testable import budgetctl

@Suite struct CommandLineTests {
  @Test(arguments: [
    ["--server", "h:1", "budgets"], ["budgets", "--server", "h:1"],
    ["--server", "x:9", "budgets", "--server", "h:1"],
  ])
  func theServerMayStandBeforeAndAfter(_ arguments: [String]) throws {
    let command = try #require(try Budgetctl.parseAsRoot(arguments) as? BudgetsCommand)
    let client = try command.server.client(
      root: command.root.server, environment: ["BUDGETD_SERVER": "e:2"])
    #expect(client.server == "h:1")
  }

  @Test func theServerComesFromTheEnvironmentElseIsTheStandard() throws {
    let command = try #require(try Budgetctl.parseAsRoot(["ping"]) as? PingCommand)
    let named = ["BUDGETD_SERVER": "e:2"]
    #expect(
      try command.server.client(root: command.root.server, environment: named).server == "e:2")
    #expect(
      try command.server.client(root: command.root.server, environment: [:]).server
        == "127.0.0.1:7077")
    let odd = ["BUDGETD_SERVER": "nowhere"]
    let failure = #expect(throws: Failure.self) {
      _ = try command.server.client(root: command.root.server, environment: odd)
    }
    #expect(failure?.code == .usage)
  }

  @Test(arguments: [
    (["--token-file", "/a", "ping"], "/a"), (["ping", "--token-file", "/a"], "/a"),
    (["--token-file", "/b", "ping", "--token-file", "/a"], "/a"), (["ping"], "/e"),
  ])
  func theTokenMayStandBeforeAndAfter(_ arguments: [String], path: String) throws {
    let command = try #require(try Budgetctl.parseAsRoot(arguments) as? PingCommand)
    let client = try command.server.client(
      root: command.root.server, environment: ["BUDGETD_TOKEN_FILE": "/e"])
    #expect(client.settings.token == .file(path))
    let without = try #require(try Budgetctl.parseAsRoot(["ping"]) as? PingCommand)
    let variables = ["BUDGETD_TOKEN_FILE": ""]
    #expect(
      try without.server.client(root: without.root.server, environment: variables)
        .settings.token == nil)
  }

  @Test func aNewClientIsATokenAndAnEntry() throws {
    let arguments = ["access", "new", "router-eu", "--role", "spend"]
    let command = try #require(try Budgetctl.parseAsRoot(arguments) as? AccessCommand.New)
    let lines = AccessCommand.New.lines(command.name, command.role, token: "bd_test")
    #expect(lines[1] == "bd_test")
    #expect(lines[4...5] == ["  - name: router-eu", "    role: spend"])
    #expect(lines.filter { $0.contains("bd_test") }.count == 1)
    #expect(Role.allValueStrings == ["check", "read", "spend", "admin"])
    #expect(throws: (any Error).self) {
      try Budgetctl.parseAsRoot(["access", "new", "router-eu", "--role", "3"])
    }
  }

  @Test func candidatesAreReadFromTheirArgument() throws {
    let arguments = [
      "filter", "--deployment", "id=a,model=openai/gpt-4o,provider=openai", "--deployment", "id=b",
      "--tag", "t", "--estimated-cost", "0.5",
    ]
    let command = try #require(try Budgetctl.parseAsRoot(arguments) as? FilterCommand)
    #expect(
      command.question.deployment.map(\.deployment) == [
        Deployment(id: "a", model: "openai/gpt-4o", provider: "openai"), Deployment(id: "b"),
      ])
    #expect(command.question.tag == ["t"])
    #expect(command.question.estimatedCost == 0.5)
  }

  @Test(arguments: [
    ["filter"], ["filter", "--deployment", "a"], ["filter", "--deployment", "id=a,id=b"],
    ["filter", "--deployment", "name=a"], ["record", "--cost", "1"],
    ["record", "--provider", "p", "--cost", "-1"], ["record", "--provider", "p", "--cost", "nan"],
    ["record", "--provider", "p", "--cost", "9000000001"], ["record", "--provider", "p"],
    ["--timeout", "0", "ping"], ["ping", "--timeout", "1e9"], ["budgets", "--interval", "0"],
    ["budgets", "--output", "yaml"], ["check-config"],
    ["ping", "--server-name", ""], ["--server-name", "", "ping"],
    ["access", "new", "a"], ["access", "new", "a b", "--role", "read"],
    ["access", "new", "a", "--role", "root"], ["nonsense"],
  ])
  func wrongCommandLinesExit64(_ arguments: [String]) {
    let error = #expect(throws: (any Error).self) { _ = try Budgetctl.parseAsRoot(arguments) }
    #expect(error.map { Budgetctl.exitCode(for: $0).rawValue } == 64)
  }

  @Test func failuresSayWhatToDoAndExitAsDocumented() {
    let gone = Failure(
      .notApplied(.unreachable(server: "h:1", why: "connection refused")), server: "h:1")
    #expect(
      gone.message
        == "no budgetd at h:1 (connection refused): start one with deploy/run or name it with --server"
    )
    #expect(gone.code == .unreachable)
    #expect(Failure(.unknown(.timedOut(after: .seconds(1))), server: "h:1").code == .outcomeUnknown)
    #expect(Failure(.notApplied(.timedOut(after: .seconds(1))), server: "h:1").code == .unreachable)
    #expect(Failure(.notApplied(.tooManyCalls(bound: 1)), server: "h:1").code == .refused)
  }

  @Test func configsAreShownWithWhatWasDerived() throws {
    let path = try temporary(
      """
      model_list:
        - model_name: g
          litellm_params: {model: openai/gpt-4o, max_budget: 1, budget_duration: 1d}
          model_info: {id: given}
        - model_name: g
          litellm_params: {model: nobody-knows-this}
        - model_name: g
          litellm_params: {model: azure/gpt-4o}
      """)
    defer { try? FileManager.default.removeItem(atPath: path) }
    let report = ConfigReport(try CheckedConfig(path: path, providerMapPath: nil), path: path)
    let lines = report.lines
    #expect(lines[1].hasPrefix("given ") && lines[1].hasSuffix("openai"))
    #expect(lines[2].contains("NONE") && lines[2].hasSuffix("LiteLLM drops it"))
    #expect(lines[3].contains("azure") && lines[3].hasSuffix("id computed"))
    #expect(lines.contains { $0.hasPrefix("deployment  given  $1.00  1d") })
    #expect(lines.contains { $0.hasPrefix("warning: \(path):6: ") })
    #expect(
      lines.last?.hasSuffix("3 deployments (1 without a provider), 1 budget, 1 warning") == true)
  }

  @Test func refusedConfigsListEveryProblem() async throws {
    let path = try temporary(
      """
      router_settings:
        provider_budget_config:
          openai: {budget_limit: -1, time_period: 1d}
          azure: {budget_limit: 1, time_period: 1x}
      """)
    defer { try? FileManager.default.removeItem(atPath: path) }
    let command = try #require(
      try Budgetctl.parseAsRoot(["check-config", path]) as? CheckConfigCommand)
    let failure = await #expect(throws: Failure.self) { try await command.run() }
    #expect(failure?.code == .badConfig)
    #expect(failure?.message == "\(path) is refused: 2 problems")
    let json = #expect(throws: DocumentError.self) {
      _ = try CheckedConfig(path: path, providerMapPath: nil)
    }.map { ConfigReport.json(refused: $0).text }
    #expect(json?.hasPrefix(#"{"ok":false,"#) == true)
    #expect(
      json?.contains(
        #""line":3,"key":"router_settings.provider_budget_config.openai.budget_limit""#) == true)
  }

  private func temporary(_ text: String) throws -> String {
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).yaml").path
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }
}
