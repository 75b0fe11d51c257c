import BudgetModel
import BudgetWire
import Testing

@testable import BudgetServer

@Suite struct ReadinessTests {
  @Test func pingAndReadinessGiveTheSameReasons() throws {
    let fixture = try ServiceFixture([ServiceFixture.budget(.provider, "openai", 1)])
    func ping() throws -> (isReady: Bool, reason: String) {
      let reply = try fixture.call(.ping)
      guard case .ping(let result) = reply.result else {
        throw ServiceFixtureError.otherResult
      }
      return (result.isReady, result.notReadyReason)
    }
    #expect(try ping() == (true, ""))
    fixture.recorder.becomeUnready("the disk is full")
    fixture.readiness.drain()
    #expect(
      fixture.readiness.reasons(at: ServiceFixture.start)
        == ["draining: the server is ending", "the disk is full"])
    #expect(try ping() == (false, "draining: the server is ending; the disk is full"))
  }
}
