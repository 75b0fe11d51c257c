import BudgetModel
import Documents
import Testing

@testable import LiteLLMConfig

@Suite struct DeploymentIdentityTests {
  @Test func idsAreThoseOfTheRouter() throws {
    let lines = try TestFiles.lines("model_ids.jsonl")
    for line in lines {
      let name = try #require(line["model_name"]?.text)
      let parameters = try #require(line["litellm_params"]?.mapping)
      let id = DeploymentIdentity.computed(modelName: name, parameters: parameters)
      #expect(id == line["id"]?.text, "\(line.pythonText)")
    }
    #expect(lines.count == 15)
  }

  @Test func idsAreThoseOfTheProxyThatReadsTheFile() throws {
    let lines = try TestFiles.lines("model_ids_yaml.jsonl")
    for line in lines {
      let yaml = try #require(line["yaml"]?.text)
      var environment: [String: String] = [:]
      for entry in line["env"]?.mapping?.entries ?? [] {
        environment[try #require(entry.key.text)] = entry.value.text
      }
      let loader = LiteLLMConfigLoader(environment: environment)
      let config = try loader.load(yaml: yaml, file: "c.yaml")
      #expect(config.budgets.deployments.first?.id == line["id"]?.text, "\(yaml)")
    }
    #expect(lines.count == 362)
  }
}
