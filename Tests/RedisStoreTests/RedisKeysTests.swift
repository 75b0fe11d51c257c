import BudgetModel
import RedisStore
import Testing

@Suite struct RedisKeysTests {
  private func key(_ scope: BudgetScope, _ name: String, _ window: String) -> BudgetKey {
    BudgetKey(scope: scope, name: name, windowText: window)
  }

  private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  @Test func keysOfSpendAndStartAreLiteLLMs() {
    let keys = RedisKeys(namespace: nil)
    let provider = key(.provider, "openai", "1d")
    #expect(text(keys.spendKey(provider)) == "provider_spend:openai:1d")
    #expect(text(keys.startKey(provider)) == "provider_budget_start_time:openai")
    let deployment = key(.deployment, "my-id", "30d")
    #expect(text(keys.spendKey(deployment)) == "deployment_spend:my-id:30d")
    #expect(text(keys.startKey(deployment)) == "deployment_budget_start_time:my-id")
    let tag = key(.tag, "product:chat bot é", "daily")
    #expect(text(keys.spendKey(tag)) == "tag_spend:product:chat bot é:daily")
    #expect(text(keys.startKey(tag)) == "tag_budget_start_time:product:chat bot é")
  }

  @Test func aNamespaceComesFirstUnlessItIsThere() {
    let keys = RedisKeys(namespace: "ns")
    let provider = key(.provider, "openai", "1d")
    #expect(text(keys.spendKey(provider)) == "ns:provider_spend:openai:1d")
    #expect(text(keys.markKey(provider)) == "{ns:provider_spend:openai:1d}:bd")
    #expect(text(keys.nodesKey) == "ns:budgetd:nodes")
    #expect(text(RedisKeys(namespace: "").nodesKey) == "budgetd:nodes")
    let same = RedisKeys(namespace: "provider_spend")
    #expect(text(same.spendKey(provider)) == "provider_spend:openai:1d")
    #expect(text(same.startKey(provider)) == "provider_spend:provider_budget_start_time:openai")
  }

  @Test func keysBesideTheSpendHaveItsSlot() {
    for namespace in [nil, "ns", "{fleet}"] {
      let keys = RedisKeys(namespace: namespace)
      for name in ["openai", "{team}", "a{b}c", "{a}{b}", "}{x}", "a:b c", "é"] {
        let tag = key(.tag, name, "1d")
        #expect(keys.complaint(tag) == nil, "\(name)")
        let slot = RedisSlot.of(keys.spendKey(tag))
        #expect(RedisSlot.of(keys.markKey(tag)) == slot, "\(name)")
        let claims = RedisKeys.claimsKey(besideMark: keys.markKey(tag))
        #expect(RedisSlot.of(claims) == slot, "\(name)")
      }
    }
    let team = RedisKeys(namespace: nil).markKey(key(.tag, "{team}", "1d"))
    #expect(text(team) == "tag_spend:{team}:1d:bd")
    #expect(text(RedisKeys.claimsKey(besideMark: team)) == "tag_spend:{team}:1d:bdh")
  }

  @Test func namesWithoutAClearSlotAreRefused() throws {
    let keys = RedisKeys(namespace: "ns")
    for name in ["a{}b", "a}b", "a{b", "{}", "{", "}", "a{}{b}"] {
      let complaint = try #require(keys.complaint(key(.tag, name, "1d")), "\(name)")
      #expect(complaint.contains("braces"))
    }
    // A namespace that chooses the slot does so for every name.
    #expect(RedisKeys(namespace: "{fleet}").complaint(key(.tag, "a{}b", "1d")) == nil)
  }

  @Test func slotsAreThoseThatWereMeasured() {
    for (key, slot) in [
      ("provider_spend:openai:1d", 11212), ("{provider_spend:openai:1d}:bd", 11212),
      ("tag_spend:{team}:1d", 15631), ("a{}b", 13694), ("{a{}b}:bd", 14311), ("123456789", 12739),
    ] {
      #expect(RedisSlot.of(Array(key.utf8)) == slot, "\(key)")
    }
  }
}
